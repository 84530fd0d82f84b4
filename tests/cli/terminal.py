"""A command on a terminal of its own, as an operator has it."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time

from ..processes import PATIENCE_SECONDS, fencepost


class Terminal:
    """A running command whose stdin, stdout and stderr are a terminal."""

    def __init__(self, *words: str, columns: int = 80) -> None:
        self._outer, inner = pty.openpty()
        environment = {**os.environ, "COLUMNS": str(columns), "TERM": "xterm"}
        self._process = subprocess.Popen(
            [sys.executable, *fencepost(*words)],
            stdin=inner,
            stdout=inner,
            stderr=inner,
            env=environment,
            start_new_session=True,
        )
        os.close(inner)
        self._shown = ""

    def say(self, text: str) -> None:
        """Type something."""
        os.write(self._outer, text.encode())

    def signal(self, number: int) -> None:
        """Send the command a signal."""
        self._process.send_signal(number)

    def wait_for(self, text: str) -> str:
        """Read until something is shown; return all that was."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while text not in self._shown:
            assert time.monotonic() < deadline, self._shown
            assert self._more(), self._shown
        return self._shown

    def read(self) -> str:
        """Read until the command has ended; return all that was shown."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self._more():
            assert time.monotonic() < deadline, self._shown
        self.code = self._process.wait(PATIENCE_SECONDS)
        os.close(self._outer)
        return self._shown.replace("\r\n", "\n")

    def _more(self) -> bool:
        if not select.select([self._outer], [], [], 0.1)[0]:
            return True
        try:
            read = os.read(self._outer, 65_536)
        except OSError:  # nobody has the other end any more
            return False
        self._shown += read.decode()
        return bool(read)
