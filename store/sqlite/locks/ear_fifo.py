"""Ears: the FIFO at which a process hears which messages have ended.

A message is 8 bytes, so that a write of up to PIPE_BUF bytes holds whole ones; pipe(7). Only a
hint, like wakeup_fifo.py: who waits looks from time to time.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import stat
import threading
from array import array
from collections.abc import Sequence

from ...errors import StoreOpenFailed
from ..file import permissions

_AT_ONCE = select.PIPE_BUF // 8
_NOBODY = 0  # no message's id


class Ear:
    """The FIFO of one opening of a store, which it alone reads."""

    def __init__(self, path: str, id: int) -> None:
        """Make it beside the store; the caller holds the write lock, and has drawn the id."""
        self._name = _name(path, id)
        self.id = id
        # An earlier one of this number was never committed.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._name)
        os.mkfifo(self._name, 0o600)
        # Read and write, so that opening does not wait for the other end; fifo(7).
        flags = os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
        self._fd = os.open(self._name, flags)
        self._hearing = threading.Lock()
        self._closed = False
        if not stat.S_ISFIFO(os.fstat(self._fd).st_mode):
            os.close(self._fd)
            raise StoreOpenFailed(f"{self._name} is not a FIFO", operation="wait", path=path)
        permissions.give_to_owner(self._fd, path)

    def hear(self, seconds: float) -> set[int]:
        """Return what was told, once something was, or after so long."""
        with self._hearing:  # the number of the descriptor is this file's until then
            if self._closed:
                return set()
            poll = select.poll()
            poll.register(self._fd, select.POLLIN)
            poll.poll(seconds * 1000)
            heard = array("q")
            with contextlib.suppress(BlockingIOError):
                told = os.read(self._fd, 65536)
                heard.frombytes(told[: len(told) // 8 * 8])
            return set(heard)

    def close(self) -> None:
        """Remove it, and let the thread that hears return; twice is as good as once."""
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(OSError):
            os.write(self._fd, array("q", [_NOBODY]).tobytes())
        with self._hearing:
            os.close(self._fd)
        with contextlib.suppress(OSError):
            os.unlink(self._name)

    def abandon(self) -> None:
        """Let go of the parent's, in a forked child."""
        if not self._closed:
            self._closed = True
            os.close(self._fd)


def tell(path: str, id: int, messages: Sequence[int]) -> bool:
    """Tell an ear that messages have ended; False when it cannot be opened.

    One that is full is not told: its process has enough to look after, and finds the rest.
    """
    try:
        fd = _open(path, id)
    except OSError:
        return False
    try:
        if stat.S_ISFIFO(os.fstat(fd).st_mode):
            for start in range(0, len(messages), _AT_ONCE):
                os.write(fd, array("q", messages[start : start + _AT_ONCE]).tobytes())
    except OSError:
        pass
    finally:
        os.close(fd)
    return True


def is_heard(path: str, id: int) -> bool:
    """True while a process has this ear open, or when that cannot be told."""
    try:
        os.close(_open(path, id))
    except OSError as error:
        return error.errno not in (errno.ENXIO, errno.ENOENT)
    return True


def remove(path: str, id: int) -> None:
    """Remove the file of an ear whose process has died."""
    with contextlib.suppress(OSError):
        os.unlink(_name(path, id))


def _open(path: str, id: int) -> int:
    # Without a reader this fails (ENXIO): the kernel knows who lives.
    flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(_name(path, id), flags)


def _name(path: str, id: int) -> str:
    return f"{path}-ear-{id}"
