"""Free disk space: the ballast file, and refusing growth when the disk is nearly full.

SQLite cannot do anything on a disk with no byte free, not even take work away: each
commit writes to the WAL first. So what stores more is refused while there is still room
for finishing what is stored; and should somebody else take that room, a file that holds
nothing, the ballast, is deleted and what frees work is done once more.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import apsw

from ...errors import OutcomeUnknown, StoreBusy, StoreFailed, StoreFull
from . import checkpoint, permissions
from .status import look

P = ParamSpec("P")
T = TypeVar("T")

BALLAST = "-ballast"

_MOST_BALLAST = 8 * 1024 * 1024
_LEAST_BALLAST = 256 * 1024

# Finishing makes rows longer: a fence, a token, the lease that settled it, an error. Measured
# with empty bodies, where it matters most: the database grows by less than a fifth when all is
# acked, by less than a third when all is retried and then buried, each with a word.
_GROWTH = 3
_MOST_GROWTH = 64 * 1024 * 1024

PAGE = 4096  # SQLite's default, which the store keeps

# A row with its places in the indexes, apart from what it carries.
ROW_BYTES = 4096


def due_pages(path: str) -> int:
    """Return after how many pages a checkpoint is due: they and their copy fit the ballast."""
    return min(checkpoint.DUE_PAGES, max(1, _ballast_bytes(path) // 2 // PAGE))


def is_short(path: str, grows: int, pending: int) -> bool:
    """True when `grows` more bytes would leave too little for finishing what is there.

    `pending` is how many bytes of the WAL may not be in the database yet.
    """
    disk = _disk(path)
    # Everything is written twice: to the WAL, then to the database.
    left = _free(disk) - pending - 2 * grows
    if left >= _MOST_BALLAST * 5 // 4 + _MOST_GROWTH:
        return False
    growth = min(_size(path) // _GROWTH, _MOST_GROWTH)
    return left < _ballast_on(disk) * 5 // 4 + growth


def wal_bytes(path: str) -> int:
    """Return the size of the WAL: the most that can be pending."""
    return _size(path + "-wal")


def load_ballast(path: str) -> bool:
    """Put the ballast in place when there is ample room; False when it is not all there."""
    wanted = _ballast_bytes(path)
    if not wanted or _size(path + BALLAST) >= wanted:
        return bool(wanted)
    if _free(_disk(path)) < 2 * wanted:
        return False
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        fd = os.open(path + BALLAST, flags, 0o600)
    except OSError:
        return False
    try:
        permissions.give_to_owner(fd, path)
        os.posix_fallocate(fd, 0, wanted)
    except OSError:  # full after all, or a file system that cannot
        drop_ballast(path)
        return False
    finally:
        os.close(fd)
    return True


def drop_ballast(path: str) -> None:
    """Delete the ballast, if there is one."""
    with contextlib.suppress(OSError):
        os.unlink(path + BALLAST)


def drop_ballast_when_exhausted(path: str) -> None:
    """Delete the ballast when there may be too little room for a transaction."""
    disk = _disk(path)
    free = _free(disk)
    if free < _MOST_BALLAST and free < max(_LEAST_BALLAST, _ballast_on(disk) // 2):
        drop_ballast(path)


def again_when_full(verb: Callable[P, T]) -> Callable[P, T]:
    """Call once more what met a full disk: the session has dropped the ballast by then."""
    return _again(verb, (StoreFull, OutcomeUnknown))


def again_when_refused(verb: Callable[P, T]) -> Callable[P, T]:
    """Call once more what met a full disk and was not done.

    For a verb whose answer is of use to nobody else: if it was done after all, the second
    call would have another.
    """
    return _again(verb, (StoreFull,))


def _again(
    verb: Callable[P, T], met: tuple[type[StoreFull | OutcomeUnknown], ...]
) -> Callable[P, T]:
    @functools.wraps(verb)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return verb(*args, **kwargs)
        except met as error:
            if not isinstance(error.__cause__, apsw.FullError):
                raise
            first = error
        try:
            return verb(*args, **kwargs)
        except (StoreFull, StoreFailed, StoreBusy):
            # They say that nothing was changed, which is true of the second call alone.
            if isinstance(first, OutcomeUnknown):
                raise first from first.__cause__
            raise

    return call


def _ballast_bytes(path: str) -> int:
    return _ballast_on(_disk(path))


def _ballast_on(disk: os.statvfs_result | None) -> int:
    wanted = min(_MOST_BALLAST, disk.f_blocks * disk.f_frsize // 8) if disk else 0
    return wanted if wanted >= _LEAST_BALLAST else 0


def _free(disk: os.statvfs_result | None) -> int:
    return disk.f_bavail * disk.f_frsize if disk else sys.maxsize


def _disk(path: str) -> os.statvfs_result | None:
    try:
        return os.statvfs(path.rpartition("/")[0] or "/")
    except OSError:  # a folder that is gone is for others to say
        return None


def _size(path: str) -> int:
    with contextlib.suppress(OSError):
        return look(os.fsencode(path))[1]
    return 0
