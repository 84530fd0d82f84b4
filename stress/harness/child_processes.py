"""Child processes of a scenario, which can be stopped, continued and killed at any time."""

from __future__ import annotations

import os
import random
import signal
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from ..records.history import Recorder
from .faults import plant
from .forkserver import Forkserver
from .waiting import PATIENCE_SECONDS


class Me:
    """What a child process is told, and where it writes down what it does.

    Attributes:
        name: Its own; no two of a scenario have the same.
        folder: The scenario's.
        random: Seeded with the scenario's seed and the name.
        history: This process's file.
    """

    def __init__(self, name: str, folder: Path, seed: str, line: Connection) -> None:
        self.name = name
        self.folder = folder
        self.random = random.Random(f"{seed}/{name}")
        self.history = Recorder(folder / "history", name)
        self._line = line

    @property
    def going(self) -> bool:
        """True until the scenario says that it is enough."""
        return not self._line.poll()

    def ready(self, **facts: Any) -> None:
        """Say something to the scenario; see Child.heard."""
        self._line.send(facts)

    def wait(self) -> dict[str, Any] | None:
        """Wait until the scenario says `go`, and return what with; None when it is enough."""
        facts: dict[str, Any] | None = self._line.recv()
        return facts


class Child:
    """A child process, as its scenario sees it."""

    def __init__(
        self,
        name: str,
        entry: Callable[..., None],
        arguments: tuple[Any, ...],
        *,
        forkserver: Forkserver,
        folder: Path,
        seed: str,
        canary: str | None,
    ) -> None:
        self.name = name
        self._folder = folder
        self._line, far_end = Pipe()
        with far_end:
            self._process = forkserver.start(
                _main, name, folder, seed, canary, entry, arguments, fds=(far_end.fileno(),)
            )
        self.pid = self._process.pid
        self._said: deque[dict[str, Any]] = deque()

    @property
    def alive(self) -> bool:
        return self.exit_code is None

    @property
    def exit_code(self) -> int | None:
        """None while it runs; of one that was killed, the signal's number, negative."""
        return self._process.exit_code

    def heard(self, seconds: float = PATIENCE_SECONDS) -> dict[str, Any]:
        """Return the next thing that it said.

        Raises:
            TimeoutError, EOFError: It said nothing in time, or is gone.
        """
        if self._said:
            return self._said.popleft()
        if self._line.closed:
            raise EOFError(f"{self.name} is gone")
        if not self._line.poll(seconds):
            raise TimeoutError(f"{self.name} said nothing for {seconds:.0f} s")
        facts: dict[str, Any] = self._line.recv()
        return facts

    def go(self, **facts: Any) -> None:
        """Let it go on from Me.wait, with facts."""
        self._line.send(facts)

    def enough(self) -> None:
        """Have it come to its end: Me.going is False from now on, and Me.wait returns None."""
        with suppress(OSError):
            self._line.send(None)

    def kill(self) -> None:
        """Kill it with SIGKILL and wait until it is gone."""
        self._process.kill()
        self.join()

    def stop(self) -> None:
        """Stop it with SIGSTOP, and wait until it stands still."""
        os.kill(self.pid, signal.SIGSTOP)
        # WNOWAIT: to reap it is Process's to do.
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def cont(self) -> None:
        """Continue it."""
        os.kill(self.pid, signal.SIGCONT)

    def complaint(self) -> str:
        """Return the last line that it wrote to stderr."""
        lines = _complaints(self._folder, self.name).read_text().split("\n")
        return next((line for line in reversed(lines) if line), "")

    def join(self, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until it has ended.

        Raises:
            TimeoutError: It has not, and was killed.
        """
        if not self._process.join(seconds):
            self._process.kill()
            raise TimeoutError(f"{self.name} did not end within {seconds:.0f} s")
        if not self._line.closed:
            with suppress(EOFError, OSError):
                while self._line.poll():
                    self._said.append(self._line.recv())
            self._line.close()


def _complaints(folder: Path, name: str) -> Path:
    return folder / f"{name}.stderr"


def _main(
    line: int,
    name: str,
    folder: Path,
    seed: str,
    canary: str | None,
    entry: Callable[..., None],
    arguments: tuple[Any, ...],
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    fd = os.open(_complaints(folder, name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(fd, 2)
    os.close(fd)
    if canary is not None:
        plant(canary)
    entry(Me(name, folder, seed, Connection(line)), *arguments)
