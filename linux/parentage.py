"""Parent death signals and the subreaper (prctl)."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Callable, Iterator

# linux/prctl.h
_PR_SET_PDEATHSIG = 1
_PR_GET_PDEATHSIG = 2
_PR_SET_CHILD_SUBREAPER = 36
_PR_GET_CHILD_SUBREAPER = 37

_LIBC = ctypes.CDLL(None, use_errno=True)


def die_with_parent(parent: int) -> None:
    """Let the kernel kill this process when its parent ends.

    On other systems a worker sees instead, once its handler returns, that its pipe is closed.
    """
    if sys.platform != "linux":
        return
    _prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL))
    if os.getppid() != parent:  # it was gone before the line above
        os.kill(os.getpid(), signal.SIGKILL)


def dying_with_parent() -> Callable[[], bool]:
    """Return a function that restores whether this process dies with its parent.

    It returns True if that had changed: the kernel resets it when a process changes its user.
    """
    if sys.platform != "linux":
        return lambda: False
    parent, before, now = os.getppid(), ctypes.c_int(), ctypes.c_int()
    _prctl(_PR_GET_PDEATHSIG, ctypes.byref(before))
    where = ctypes.byref(now)

    def restore() -> bool:
        _prctl(_PR_GET_PDEATHSIG, where)
        if now.value == before.value:
            return False
        die_with_parent(parent)
        return True

    return restore


@contextlib.contextmanager
def subreaper() -> Iterator[None]:
    """Become the subreaper: the parent of descendants whose own parent ends. PID 1 is it anyway."""
    if sys.platform != "linux":
        yield
        return
    before = ctypes.c_int()
    _prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(before))
    _prctl(_PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(1))
    try:
        yield
    finally:
        _prctl(_PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(before.value))


def _prctl(option: int, argument: object) -> None:
    if _LIBC.prctl(option, argument) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option})")
