"""What a claim remembers for its end."""

from __future__ import annotations

import msgspec


class Note(msgspec.Struct, frozen=True, gc=False):
    """What a claim knows of its delivery that does not change until it ends.

    Only of the only delivery of a message whose body is not kept beyond the end.

    Attributes:
        bytes: Of the body as it came.
        keep_ms: How long the key is kept after the end.
    """

    queue: str
    message: int
    lane: str | None
    bytes: int
    keep_ms: int
