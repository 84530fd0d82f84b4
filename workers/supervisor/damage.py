"""A damaged store: the pool ends, and says so in one line.

If it continued, it would read the same damaged row again and again. Nothing is lost by ending:
claims are released or expire, and what has not been handled is still in the store.
"""

from __future__ import annotations

from ...store.errors import FencepostError, StoreCorrupt


class Damage:
    """The damage that parts of the supervisor have found.

    Attributes:
        found: The first error, "" while there is none.
    """

    def __init__(self) -> None:
        self.found = ""

    def met(self, error: FencepostError) -> bool:
        """Note an error; True if the store is damaged, which ends the pool."""
        if not isinstance(error, StoreCorrupt):
            return False
        self.found = self.found or str(error)
        return True
