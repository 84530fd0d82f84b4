"""Outgoing webhooks: where they go, and whether their host can take one now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

# The built-in queue: each of its messages is a webhook to be sent.
OUTBOX = "outbox"

# What a host did with an attempt, as far as the others for it need to know. "failed": it could
# not be reached, or said that it has too much to do. "asked to wait": so did it, and said for how
# long. "answered": anything else; that may be wrong with one address of it, not with the host.
Response = Literal["answered", "failed", "asked to wait"]


class Outgoing(Struct, frozen=True, gc=False):
    """Where a message of the outbox goes.

    Attributes:
        secrets: What signs it, in order: secrets, or names of secrets that the app has.
        until_ms: It is tried until then, on the store's clock.
    """

    url: str
    secrets: Sequence[str] = ()
    until_ms: int = 0


class Admission(Struct, frozen=True, gc=False):
    """Whether a webhook may be sent to a host now.

    Attributes:
        wait_ms: Not before; 0 for now.
        probe: It is the only one that is sent for now: what becomes of it decides for the others.
    """

    wait_ms: int = 0
    probe: bool = False
