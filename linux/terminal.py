"""The terminal that a pool was started on, and whether it has been closed."""

from __future__ import annotations

import os
import signal
import time

_SIGNAL_SECONDS = 2.0


class Terminal:
    """Tells the SIGHUP of a closed terminal from the one that asks for a reload.

    If the terminal is closed and no SIGHUP comes, because the pool was started with nohup or
    disowned, the pool continues without the terminal.
    """

    def __init__(self) -> None:
        """Remember which of stdin, stdout and stderr are a terminal."""
        ignored = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        self._fds = [] if ignored else [fd for fd in range(3) if os.isatty(fd)]
        self._closed_at: float | None = None

    @property
    def closed(self) -> bool:
        """True once the terminal is closed."""
        return not all(map(os.isatty, self._fds))

    def look(self) -> bool:
        """Return True once, 2 s after the terminal was closed without a SIGHUP."""
        if not self._fds or not self.closed:
            return False
        now = time.monotonic()
        self._closed_at = now if self._closed_at is None else self._closed_at
        if now - self._closed_at < _SIGNAL_SECONDS:
            return False
        self._fds = []
        return True
