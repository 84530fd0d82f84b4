"""Faults in how webhooks are sent."""

from __future__ import annotations

import socket
from typing import Any

from ...app.sending import exchange, signing
from ...app.sending.gates import Resolver
from ..harness.faults import fault


@fault("a webhook is signed once, and not at each attempt")
def stale_signature() -> None:
    """Every attempt has the time of the first that this process saw of it."""
    times: dict[str, float] = {}
    signed = signing.headers

    def headers(id: str, body: bytes, secrets: Any, now: float) -> dict[str, str]:
        return signed(id, body, secrets, times.setdefault(id, now))

    vars(signing)["headers"] = headers


@fault("a name is looked up and judged, and then connected to by its name")
def double_lookup() -> None:
    resolve = Resolver.resolve

    async def judged(self: Resolver, host: str, port: int = 0, family: Any = 0) -> Any:
        await resolve(self, host, port, family)
        found = self._look(host, port, family)
        return [
            {
                "hostname": host,
                "host": address[0],
                "port": port,
                "family": kind,
                "proto": proto,
                "flags": socket.AI_NUMERICHOST,
            }
            for kind, _, proto, _, address in found
        ]

    def unjudged(*, private: bool) -> Any:
        return lambda info: _socket(info)

    Resolver.resolve = judged  # type: ignore[method-assign]
    vars(exchange)["socket_maker"] = unjudged


def _socket(info: Any) -> socket.socket:
    made = socket.socket(*info[:3])
    made.setblocking(False)
    return made
