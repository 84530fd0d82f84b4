"""Reaping what handlers leave behind: orphans that became children of the supervisor."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection


class Strays:
    """Waits for adopted children, and for nobody else's: the program may have its own.

    Those of its main thread there may have been before; those that other threads start stand
    under these, and orphans are the main thread's (find_new_reaper in kernel/exit.c).
    """

    def __init__(self) -> None:
        self._own = _children()

    def reap(self, known: Collection[int]) -> None:
        """Clear away those that have ended and are none of `known`; in the main thread."""
        for pid in _children() - self._own - set(known):
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def _children() -> set[int]:
    """Return the children of this thread, zombies included; none where there is no /proc."""
    with contextlib.suppress(OSError), open("/proc/thread-self/children") as file:
        return {int(pid) for pid in file.read().split()}
    return set()
