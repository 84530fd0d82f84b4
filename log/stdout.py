"""Output of handlers: written if possible, and never a reason for a handler to fail."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import select
import sys
from typing import Any

_MOST_SECONDS = 1.0
# The terminal was closed, or the program at the other end has ended.
_UNREAD = {errno.EIO, errno.EPIPE, errno.ENXIO}


def discard_unread() -> None:
    """Let no write to stdout or stderr raise because it is not read or the disk is full."""
    for fd, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper) and not isinstance(stream.buffer, _Buffered):
            with contextlib.suppress(OSError, ValueError):
                if stream.fileno() == fd:
                    _replace(name, stream, fd)


def _replace(name: str, stream: io.TextIOWrapper, fd: int) -> None:
    stream.flush()
    new = io.TextIOWrapper(
        _Buffered(_LossyOutput(fd)),
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=True,
    )
    setattr(sys, name, new)
    setattr(sys, f"__{name}__", new)


class _Buffered(io.BufferedWriter):
    """Marks a stream that was replaced already."""


class _LossyOutput(io.RawIOBase):
    """A descriptor; what cannot be written to it is dropped."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def fileno(self) -> int:
        return self._fd

    def isatty(self) -> bool:
        return os.isatty(self._fd)

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        size = memoryview(data).nbytes
        try:
            return os.write(self._fd, data)
        except BlockingIOError:
            poll = select.poll()
            poll.register(self._fd, select.POLLOUT)
            poll.poll(_MOST_SECONDS * 1000)
            with contextlib.suppress(OSError):
                return os.write(self._fd, data)
        except OSError as error:
            if error.errno in _UNREAD:
                self._detach()
        return size

    def _detach(self) -> None:
        """Let programs that handlers start write to /dev/null, too."""
        with contextlib.suppress(OSError):
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, self._fd)
            if nothing != self._fd:
                os.close(nothing)
