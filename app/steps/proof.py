"""What another process of an attempt records steps with."""

from __future__ import annotations

import msgspec

from ...store.engine import Hold


class Proof(msgspec.Struct, frozen=True):
    """What a step's process has to know of the attempt.

    Attributes:
        folder: Of the attempt.
        code: The version of the app.
    """

    store: str
    delivery: int
    fence: int
    token: str
    folder: str
    code: str | None

    @property
    def hold(self) -> Hold:
        """What proves the claim to the engine."""
        return Hold(self.delivery, self.fence, self.token)
