"""The forkserver: a process that has imported everything and opened nothing.

Starting Python takes a third of a second of a core, and a fork takes a hundredth of that. The
forkserver has one thread and no open store, so that a fork is safe.
"""

from __future__ import annotations

import functools
import gc
import importlib
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence

from ...linux.parentage import die_with_parent
from ...linux.process_name import show_role
from ...log.log import log
from . import entry_point, fork_requests

# Other systems have no subreapers; there each process starts its own interpreter.
FORKS = sys.platform == "linux"
_ANSWER_SECONDS = 5.0
_START_SECONDS = 60.0
_AGAIN_SECONDS = 1.0
_HOPELESS_AGAIN_SECONDS = 10.0
MAX_FAILURES = 5


class ForkServer:
    """The supervisor's side of the forkserver.

    Args:
        imports: The modules that it imports, so that no forked process has to.

    Attributes:
        line: Readable when the forkserver is up, or gone; None when there is none.
        pid: Of the process; meaningless when there is none.
        failures: How many in a row did not come up.
    """

    def __init__(self, imports: Sequence[str] = ()) -> None:
        self._imports = imports
        self.line: socket.socket | None = None
        self.pid = 0
        self.failures = 0
        self._up = False
        self._start_at = 0.0
        self._give_up_at = 0.0

    @property
    def is_up(self) -> bool:
        """It can fork."""
        return self._up or not FORKS

    def keep_up(self) -> None:
        """Start one when there is none: at most one a second, or one in 10 s after five failures."""
        if not FORKS:
            return
        if self.line is not None and not self._up and time.monotonic() >= self._give_up_at:
            self.end()
        if self.line is None and time.monotonic() >= self._start_at:
            hopeless = self.failures >= MAX_FAILURES
            pause = _HOPELESS_AGAIN_SECONDS if hopeless else _AGAIN_SECONDS
            self._start_at = time.monotonic() + pause
            try:
                self._start()
            except OSError as error:
                log.warning("cannot start the forkserver", error=str(error))
                self._count_failure()

    def hear(self) -> None:
        """Read that it is up, or that it is gone."""
        assert self.line is not None
        try:
            self._up = self.line.recv(16) == b"up"
        except OSError:
            self._up = False
        if self._up:
            self.failures = 0
            self.line.settimeout(_ANSWER_SECONDS)
        else:
            self.end()

    def fork(self, fds: list[int], what: bytes = fork_requests.FORK) -> int:
        """Fork a child of this process that is given the descriptors; return its pid.

        Raises:
            OSError: The kernel refuses to fork, or the forkserver has died.
        """
        if not FORKS:
            return spawn(entry_point.enter, fds)
        assert self.line is not None
        try:
            return fork_requests.ask(self.line, fds, what)
        except ConnectionError:
            self.end()
            raise

    def end(self) -> None:
        """End the forkserver; what it has forked continues."""
        if self.line is not None:
            self.line.close()
            if not self._up:
                self._count_failure()
            self.line, self._up = None, False
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)

    def _count_failure(self) -> None:
        self.failures += 1
        if self.failures == MAX_FAILURES:
            log.error("the forkserver does not start")

    def _start(self) -> None:
        ours, far_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with far_end:
                self.pid = spawn(main, [far_end.fileno()], *self._imports)
        except BaseException:
            ours.close()
            raise
        ours.setblocking(False)
        self.line = ours
        self._give_up_at = time.monotonic() + _START_SECONDS


def spawn(function: Callable[..., None], fds: list[int], *arguments: str) -> int:
    """Start an interpreter that calls function(our pid, these descriptors, *arguments).

    All signals are blocked in it: a Ctrl-C must not end it with a traceback while it starts.
    """
    numbers: list[int] = []
    try:
        for fd in fds:
            numbers.append(os.dup(fd))
            os.set_inheritable(numbers[-1], True)
        call = (os.getpid(), numbers, *arguments)
        name = function.__name__
        code = f"from {function.__module__} import {name}; {name}(*{call!r})"
        return os.posix_spawn(
            sys.executable,
            # -P: files in the working folder must not be taken for the standard library.
            [sys.executable, "-P", "-c", code],
            os.environ,
            setsigmask=signal.valid_signals(),
        )
    finally:
        for number in numbers:
            os.close(number)


def main(parent: int, fds: list[int], *imports: str) -> None:
    """Run the forkserver until the supervisor is gone."""
    die_with_parent(parent)
    show_role("forkserver")
    from .app.app_process import answer  # which imports this module

    for name in imports:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # so that a child's collector does not copy what it inherits
    line = socket.socket(fileno=fds[0])
    line.send(b"up")
    fork_requests.serve(line, functools.partial(answer, parent))
