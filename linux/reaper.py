"""Reaping what handlers leave behind: orphans that became children of the supervisor."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Collection


class Reaper:
    """Waits for adopted children, and for nobody else's: the program may have its own.

    Those of its main thread there may have been before; those that other threads start stand
    under these, and orphans are the main thread's (find_new_reaper in kernel/exit.c).
    """

    def __init__(self) -> None:
        self._own = _children("thread-self")

    def reap(self, known: Collection[int]) -> None:
        """Clear away those that have ended and are none of `known`; in the main thread."""
        mine = _children("thread-self")
        # A thread may end before the children that it has started: then they are this one's.
        for thread in _threads() - {str(threading.get_native_id())}:
            self._own |= _children(f"self/task/{thread}")
        for pid in mine - self._own - set(known):
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def _threads() -> set[str]:
    with contextlib.suppress(OSError):
        return set(os.listdir("/proc/self/task"))
    return set()


def _children(thread: str) -> set[int]:
    """Return the children of a thread, zombies included; none where there is no /proc."""
    with contextlib.suppress(OSError), open(f"/proc/{thread}/children") as file:
        return {int(pid) for pid in file.read().split()}
    return set()
