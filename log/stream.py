"""Where the lines of the log go: to stderr as it was when the log was configured."""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import sys
import threading
import time

from .standard_streams import duplicate

# A line that is not read for so long is dropped.
_MOST_SECONDS = 5.0


class _Gathered(threading.local):
    """The lines of a thread that `gather` holds back."""

    lines: list[bytes] | None = None


class LogStream:
    """Writes whole lines, each with one call if the kernel takes it, and never raises.

    It has its own descriptor, independent of the app's sys.stderr. If that has been closed, and
    its number may belong to another file by now, it is duplicated again from descriptor 2.
    Before `open`, and if stderr has no descriptor, lines go to sys.stderr.

    Attributes:
        is_terminal: It is a terminal, so people read it.
    """

    def __init__(self) -> None:
        self._fd = -1
        self._identity: tuple[int, int] | None = None
        self._torn = False
        self._turn = threading.RLock()
        self._gathered = _Gathered()
        self.is_terminal = False

    def open(self) -> None:
        """Write to stderr as it is now."""
        self._close()
        try:
            fd = sys.stderr.fileno()
            self._identity = _identity(fd)
            self._fd = duplicate(fd)
            self.is_terminal = os.isatty(fd)
        except (OSError, ValueError, AttributeError):
            self._identity, self.is_terminal = None, False
        atexit.unregister(_give_up_unread)
        atexit.register(_give_up_unread)

    @property
    def is_open(self) -> bool:
        """True when it has a descriptor of its own."""
        return self._identity is not None

    def gather(self) -> None:
        """Hold back this thread's lines until `flush`, to write several with one call."""
        if self._identity is not None:
            self._gathered.lines = []

    def flush(self) -> None:
        """Write what was held back."""
        lines, self._gathered.lines = self._gathered.lines, None
        part: list[bytes] = []
        size = 0
        for line in lines or ():
            # The kernel lets no other process write within so many bytes.
            if part and size + len(line) > select.PIPE_BUF:
                self._write(b"".join(part))
                part, size = [], 0
            part.append(line)
            size += len(line)
        if part:
            self._write(b"".join(part))

    def write(self, line: bytes) -> None:
        """Write a line; one that cannot be written is dropped."""
        data = line + b"\n"
        if self._gathered.lines is None:
            self._write(data)
        else:
            self._gathered.lines.append(data)

    def _write(self, data: bytes) -> None:
        if self._torn:  # the line before was cut off; begin a new line
            data = b"\n" + data
        # Threads take turns, but none waits for ever.
        mine = self._turn.acquire(timeout=_MOST_SECONDS)
        try:
            if self._identity is None:
                print(data.decode(), end="", file=sys.stderr, flush=True)
            elif (fd := self._usable()) is not None:
                self._torn = not _write(fd, data)
        except Exception:  # noqa: BLE001, S110 - the line is dropped
            pass
        if mine:
            self._turn.release()

    def _usable(self) -> int | None:
        """Return a descriptor that still is the stderr of `open`; None if there is none."""
        for fd in (self._fd, 2):
            try:
                if _identity(fd) == self._identity:
                    if fd != self._fd:
                        self._fd = duplicate(fd)
                    return fd
            except OSError:  # it is closed
                continue
        return None

    def _close(self) -> None:
        with contextlib.suppress(OSError):
            if self._identity is not None and _identity(self._fd) == self._identity:
                os.close(self._fd)
        self._fd = -1


def _identity(fd: int) -> tuple[int, int]:
    found = os.fstat(fd)
    return found.st_dev, found.st_ino


def _write(fd: int, data: bytes) -> bool:
    """Write a line; False if only a part was written, because it is not read."""
    give_up_at = time.monotonic() + _MOST_SECONDS
    left = memoryview(data)
    while left:
        try:
            left = left[os.write(fd, left) :]
        except BlockingIOError:  # another process has made it non-blocking, and the reader is slow
            poll = select.poll()
            poll.register(fd, select.POLLOUT)
            if not poll.poll(max(0.0, give_up_at - time.monotonic()) * 1000):
                return len(left) == len(data)
    return True


def _give_up_unread() -> None:
    """Drop unread output: the interpreter's last flush would otherwise fail, with exit code 120."""
    try:
        sys.stderr.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    except (ValueError, AttributeError):
        pass  # closed, or none at all
