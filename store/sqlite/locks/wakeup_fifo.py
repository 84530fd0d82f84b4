"""Wake-ups: each commit with work writes a byte to a FIFO.

Only a hint. A worker that misses it finds the message at its next poll.
"""

from __future__ import annotations

import contextlib
import os
import stat

from ...errors import StoreOpenFailed
from ..file import permissions


class Wakeup:
    """Wakes the workers that wait on the same store, in this process or another."""

    def __init__(self, path: str) -> None:
        with contextlib.suppress(FileExistsError):
            os.mkfifo(path, 0o600)
        # Read and write, so that opening does not wait for the other end; fifo(7).
        self._fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        if not stat.S_ISFIFO(os.fstat(self._fd).st_mode):
            os.close(self._fd)
            raise StoreOpenFailed(f"{path} is not a FIFO", operation="open", path=path)
        permissions.give_to_owner(self._fd, path.removesuffix("-wakeup"))

    def wake(self) -> None:
        """Wake the workers that wait. A full FIFO has woken them; an error costs them one poll."""
        with contextlib.suppress(OSError):
            os.write(self._fd, b"\0")

    def hush(self) -> None:
        """Forget the wake-ups so far; look at the queue after this call, never before."""
        with contextlib.suppress(BlockingIOError):
            while len(os.read(self._fd, 65536)) == 65536:
                pass

    def fileno(self) -> int:
        """Return the descriptor, which is readable after a wake-up."""
        return self._fd

    def close(self) -> None:
        """Close the FIFO, whose file stays for the others; twice is as good as once."""
        fd, self._fd = self._fd, -1  # by now the number may be another file's
        if fd >= 0:
            os.close(fd)

    abandon = close

    def prepare(self) -> None:
        """Nothing of this is ever half done."""

    resume = prepare
