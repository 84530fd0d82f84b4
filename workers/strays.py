"""Reaping what handlers leave behind: orphans that became children of the supervisor."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection


class Strays:
    """Waits for adopted children, and for nobody else's: the program may have its own."""

    def __init__(self) -> None:
        self._own = _children()

    def reap(self, known: Collection[int]) -> None:
        """Clear away those that have ended and are none of `known`."""
        for pid in _children() - self._own - set(known):
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def _children() -> set[int]:
    """Return the children of this process, zombies included; none where there is no /proc."""
    found: set[int] = set()
    with contextlib.suppress(OSError):
        for task in os.listdir("/proc/self/task"):
            with contextlib.suppress(OSError), open(f"/proc/self/task/{task}/children") as file:
                found.update(int(pid) for pid in file.read().split())
    return found
