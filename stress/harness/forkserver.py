"""Processes that are forked from one which has imported everything and opened nothing.

Starting Python for each of them was almost half of what a run took: 780 core-seconds of the
whole ci profile, and 430 without.
"""

from __future__ import annotations

import gc
import importlib
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from multiprocessing.reduction import ForkingPickler
from typing import Any, Self

from ...linux.memfd import memfd
from ...linux.parentage import die_with_parent, subreaper
from ...workers.process import fork_requests
from ..machine.forked import exit_after

_ANSWER_SECONDS = 60.0
_DRIVER = f"{__package__}.driver"


class Forkserver:
    """Forks children of this process that have nothing of it; they go on when it ends."""

    def __init__(self, line: socket.socket, pid: int) -> None:
        line.settimeout(_ANSWER_SECONDS)
        self._line = line
        self._process = Process(pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._line.close()
        self._process.kill()

    @classmethod
    def begin(cls, modules: Iterable[str] = ()) -> Self:
        """Begin one in a new interpreter, with nothing open and these modules imported."""
        line, far_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with far_end:
            os.set_inheritable(far_end.fileno(), True)
            code = (
                f"import sys; sys.path[:] = {sys.path!r};"
                "from fencepost.stress.harness.forkserver import serve;"
                f"serve({os.getpid()}, {far_end.fileno()}, {[_DRIVER, *modules]!r})"
            )
            pid = os.posix_spawn(sys.executable, [sys.executable, "-P", "-c", code], os.environ)
        return cls(line, pid)

    @classmethod
    def fork(cls) -> Self:
        """Begin one as a fork of this process, which has one thread and no store open."""
        line, far_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        parent, pid = os.getpid(), os.fork()
        if pid == 0:
            line.close()
            exit_after(_serve, parent, far_end)
        far_end.close()
        return cls(line, pid)

    def start(self, entry: Callable[..., None], *arguments: Any, fds: tuple[int, ...]) -> Process:
        """Start a process that calls entry(*fds, *arguments) with descriptors of its own."""
        with (
            memfd(bytes(ForkingPickler.dumps((os.getpid(), entry, arguments)))) as call,
            subreaper(),
        ):
            return Process(fork_requests.ask(self._line, [call, *fds]))


class Process:
    """A child process; nobody else may wait for it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._fd = os.pidfd_open(pid)
        self._code: int | None = None

    @property
    def exit_code(self) -> int | None:
        """None while it runs; of one that was killed, the signal's number, negative."""
        if self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._code = os.waitstatus_to_exitcode(status)
                os.close(self._fd)
        return self._code

    def kill(self) -> None:
        """Kill it with SIGKILL and wait until it is gone."""
        if self.exit_code is None:
            os.kill(self.pid, signal.SIGKILL)
            self.join()

    def join(self, seconds: float = float("inf")) -> bool:
        """Wait until it has ended; False when it has not in that time."""
        deadline, poll = time.monotonic() + seconds, select.poll()
        poll.register(self._fd, select.POLLIN)
        while self.exit_code is None:
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            poll.poll(min(left, 60) * 1000)
        return True


def serve(parent: int, line: int, modules: Sequence[str]) -> None:
    """Be a forkserver, in an interpreter of its own, until the parent is gone."""
    exit_after(_serve, parent, socket.socket(fileno=line), modules)


def _serve(parent: int, line: socket.socket, modules: Sequence[str] = ()) -> None:
    die_with_parent(parent)
    for name in modules:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # so that a child's collector does not copy what it inherits
    fork_requests.serve(line, _live)


def _live(_what: bytes, fds: list[int]) -> None:
    call, *others = fds
    with open(call, "rb") as file:
        parent, entry, arguments = ForkingPickler.loads(file.read())
    die_with_parent(parent)
    entry(*others, *arguments)
