"""Which file is at a path, and how long it is: without asking for its times.

Where a file system keeps fine-grained times (Linux 6.13 and newer), the next write to a file
gets a time of its own once somebody has asked for the file's, as stat(2) always does. The
inode then changes with each commit, and the sync of the WAL takes half as long again. So
statx(2) is asked for no times.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys

Identity = tuple[int, int]  # st_dev and st_ino

# linux/stat.h, linux/fcntl.h
_AT_FDCWD = -100
_AT_SYMLINK_NOFOLLOW = 0x100
_INO_AND_SIZE = 0x100 | 0x200
# struct statx: stx_mask, stx_ino, stx_size, stx_dev_major, stx_dev_minor.
_STATX = struct.Struct("=I28xQQ88xII112x")
_Buffer = ctypes.c_char * _STATX.size

_statx = getattr(ctypes.CDLL(None), "statx", None) if sys.platform == "linux" else None


def look(name: bytes) -> tuple[Identity, int]:
    """Return the identity and the size of the file, or of the link, at a path.

    Raises:
        OSError: There is none, or it cannot be found.
    """
    if _statx is not None:
        buffer = _Buffer()
        if _statx(_AT_FDCWD, name, _AT_SYMLINK_NOFOLLOW, _INO_AND_SIZE, buffer) == 0:
            mask, inode, size, major, minor = _STATX.unpack(buffer)
            if mask & _INO_AND_SIZE == _INO_AND_SIZE:
                return (os.makedev(major, minor), inode), size
    # It says why there is none; and some sandboxes know no statx.
    found = os.lstat(name)
    return (found.st_dev, found.st_ino), found.st_size
