"""A damaged store: what a pool does about one, which is to end and say so in one line.

To go on would mean to meet the same row again and again. Nothing is lost by ending: what was
claimed is given back or expires, and what has not been handled is still in the store.
"""

from __future__ import annotations

from ...store.errors import FencepostError, StoreCorrupt


class Damage:
    """What the parts of a supervisor have met of it.

    Attributes:
        found: What was said of the first, "" while there is none.
    """

    def __init__(self) -> None:
        self.found = ""

    def met(self, error: FencepostError) -> bool:
        """True for an error that damage has caused: the pool ends, and says so."""
        if not isinstance(error, StoreCorrupt):
            return False
        self.found = self.found or str(error)
        return True
