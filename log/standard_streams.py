"""Standard input, output and error of a process, restored if a handler changes them."""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Callable

from .stdout import discard_unread

# Above the numbers that programs close or replace by number, such as all up to 64.
_LEAST_FD = 200
_NAMES = ("stdin", "stdout", "stderr")


def fill() -> None:
    """Open /dev/null on each of the descriptors 0, 1 and 2 that is closed.

    Otherwise the store's file, or a pipe between processes, gets that number, and programs read
    it as their input or write their output to it.
    """
    for fd in range(3):
        if not is_open(fd):
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest free one: fd


def is_open(fd: int) -> bool:
    """True if a descriptor is open."""
    return _identity(fd) is not None


def duplicate(fd: int) -> int:
    """Return a duplicate with a high number, which programs do not inherit."""
    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _LEAST_FD)
    except OSError:  # so many are not allowed
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)


def flush() -> None:
    """Write out what stdout and stderr have buffered."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:  # noqa: BLE001, S112 - each message; closed, full, or the app's own
            continue


def restorer() -> Callable[[], bool]:
    """Return a function that restores descriptors 0, 1 and 2, and the streams on them.

    It returns True if one had been closed or replaced.
    """
    saved = {fd: (duplicate(fd), _identity(fd)) for fd in range(3) if is_open(fd)}
    streams = [sys.stdin, sys.stdout, sys.stderr]

    def restore() -> bool:
        changed = False
        for fd, (kept_open, identity) in saved.items():
            if _identity(fd) != identity:
                changed = True
                _put_back(fd, kept_open, identity)
        for fd, name in enumerate(_NAMES):
            if fd in saved and streams[fd] is not None and streams[fd].closed:
                changed = True
                new = open(fd, "w" if fd else "r", closefd=False)  # noqa: SIM115 - to the end
                setattr(sys, name, new)
                setattr(sys, f"__{name}__", new)
                discard_unread()
                streams[fd] = getattr(sys, name)
            elif getattr(sys, name, None) is not streams[fd]:
                changed = True
                setattr(sys, name, streams[fd])
        return changed

    return restore


def _put_back(fd: int, kept_open: int, identity: tuple[int, int] | None) -> None:
    if _identity(kept_open) == identity:
        os.dup2(kept_open, fd)
        return
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, fd)
    if nothing != fd:
        os.close(nothing)


def _identity(fd: int) -> tuple[int, int] | None:
    try:
        found = os.fstat(fd)
    except OSError:
        return None
    return found.st_dev, found.st_ino
