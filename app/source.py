"""A source: one sender of webhooks, and how its requests are read."""

from __future__ import annotations

from dataclasses import dataclass

from ..schemes import Scheme
from ..schemes.request import Event, Handshake, Request
from ..store.types.message import Redelivery


@dataclass(frozen=True, slots=True)
class Source:
    """One sender of webhooks."""

    name: str
    scheme: Scheme
    max_body: int
    require_key: bool
    keep_ms: int
    keep_body_ms: int = 0
    redelivery: Redelivery = "revive"

    def read(self, request: Request) -> Event | Handshake:
        """Name the message in a request that was found GENUINE.

        Raises:
            Malformed: It cannot be read, or its body is over the cap once decompressed.
        """
        request.plain(self.max_body)
        return self.scheme.read(request)
