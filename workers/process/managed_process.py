"""One process of the pool, as the supervisor sees it from its start to its end."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from multiprocess.connection import Connection

from ...linux.memfd import memfd
from ...log import stderr_lines
from ...log.log import log
from ...store.rules.failures.blame import Blame, Exit, blame
from ...store.types.worker import Progress
from .app.app_code import AppCode
from .entry_point import dump
from .shared_page import SharedPage, Work


@dataclass(frozen=True, slots=True)
class Role:
    """What a process of the pool does: a worker, or a receiver.

    Attributes:
        entry: Called in the child as entry(line, page, parent's pid, *arguments, *fds). It
            sends b"ready <worker id>" (0 if it is no worker) once it is up, b"waiting" while
            the store keeps it from that, b"recycle <why>" when it wants to be replaced,
            b"ended" when it has nothing left to do, and b"damaged <what>" when it ends because
            the store is damaged.
        fds: Descriptors that it inherits.
        main: The arguments may need what the program's own main module defines.
    """

    name: str
    entry: Callable[..., None]
    arguments: tuple[object, ...] = ()
    fds: tuple[int, ...] = ()
    main: bool = False


@dataclass(frozen=True, slots=True)
class End:
    """How a process ended.

    Attributes:
        why: In words, with the most memory that it had.
        signal: The number of the signal that killed it, 0 for none.
        code: What it exited with, 0 when it was killed.
        by_supervisor: The supervisor killed it.
        work: What its handlers were running.
        progress: How far it was with its claims; None if that is not known.
    """

    why: str
    signal: int
    code: int
    by_supervisor: bool
    work: Work
    progress: Progress | None = None

    def blame(self, *, killed_before: bool = False, others_since: bool = False) -> Blame:
        """Return whose doing it was; see the function of this name."""
        exit = Exit(self.signal, self.code, self.by_supervisor, self.work.claims)
        return blame(exit, killed_before=killed_before, others_since=others_since)


class ManagedProcess:
    """A process that the supervisor has started.

    Attributes:
        worker: Its id in the store; None before it is ready, 0 if it is no worker.
        waiting: It has said that it cannot reach the store.
        outdated: It is to be replaced.
        leaving: It has been told to end.
        over_at: time.monotonic() when it had nothing left to do; None before.
        killed_for: Why the supervisor killed it; empty if it did not.
        overdue: The delivery over its timeout for which it was killed, 0 for none.
        taken: The batch of which it has lost what it had not begun, as on its page.
        damage: What it said of a damaged store before it ended.
        asleep_at: time.monotonic() when it was last seen stopped, or woke up from the
            suspension of the machine.
    """

    def __init__(self, role: Role, code: AppCode) -> None:
        """Start the process.

        Raises:
            OSError: It cannot be forked.
        """
        self.role = role
        self.started = time.monotonic()
        self.worker: int | None = None
        self.waiting = False
        self.outdated = False
        self.leaving = False
        self.over_at: float | None = None
        self.killed_for = ""
        self.overdue = 0
        self.taken = 0
        self.asleep_at = -math.inf
        self.damage = ""
        with contextlib.ExitStack() as undo, contextlib.ExitStack() as theirs:
            self.page = SharedPage()
            undo.callback(self.page.close)
            ours, far_end = socket.socketpair()
            theirs.enter_context(far_end)
            self.line: Connection | None = Connection(ours.detach())
            undo.callback(self.line.close)
            self.stacks, stacks = os.pipe()
            undo.callback(os.close, self.stacks)
            theirs.callback(os.close, stacks)
            os.set_blocking(self.stacks, False)
            description = theirs.enter_context(
                memfd(dump(role.name, role.entry, role.arguments, main=role.main))
            )
            stderr = stderr_lines.for_child()
            theirs.callback(os.close, stderr)
            fds = [description, far_end.fileno(), self.page.fd, stacks, stderr, *role.fds]
            self.pid = code.fork(fds)
            undo.pop_all()

    @property
    def ready(self) -> bool:
        """It has said that it is up."""
        return self.worker is not None

    def hear(self) -> None:
        """Read what the process says, or that it has hung up."""
        assert self.line is not None
        try:
            word, _, rest = self.line.recv_bytes().decode().partition(" ")
        except (EOFError, OSError):
            self.line.close()
            self.line = None
            return
        if word == "ready":
            self.worker, self.waiting = int(rest), False
        elif word == "waiting":
            self.waiting = True
        elif word == "ended":
            self.over_at = time.monotonic()
        elif word == "damaged":
            self.damage = rest
        elif word == "recycle":
            log.info("replacing a worker", pid=self.pid, why=rest)
            self.outdated = True

    def send(self, word: bytes) -> None:
        """Say something to the process, unless it has hung up."""
        if self.line is not None:
            with contextlib.suppress(OSError):
                self.line.send_bytes(word)

    def signal(self, number: int) -> None:
        """Send it a signal. It has not been collected yet, so the pid is not reused."""
        os.kill(self.pid, number)

    def leave(self) -> None:
        """Tell it to finish what it has begun and end, in two ways: a handler may ignore signals."""
        self.leaving = True
        # First: a process that has read the word may end, and Python drops its signal handlers.
        self.signal(signal.SIGTERM)
        self.send(b"leave")

    def kill(self, why: str) -> None:
        """End it now."""
        if not self.killed_for:
            self.killed_for = why
            self.signal(signal.SIGKILL)

    def is_stopped(self) -> bool:
        """True while SIGSTOP or a debugger keeps it from running."""
        try:
            with open(f"/proc/{self.pid}/stat") as file:
                stopped = file.read().rpartition(")")[2].split()[0] in "Tt"
        except (OSError, IndexError):
            return False
        if stopped:
            self.asleep_at = time.monotonic()
        return stopped

    def ended(self) -> End | None:
        """Collect it and return how it ended; None while it runs."""
        pid, status, usage = os.wait4(self.pid, os.WNOHANG)
        if not pid:
            return None
        while self.line is not None and self.line.poll():  # what it said last counts
            self.hear()
        code = os.waitstatus_to_exitcode(status)
        ended = f"was killed by {_name(-code)}" if code < 0 else f"exited with {code}"
        because = f": {self.killed_for}" if self.killed_for else ""
        # In bytes on macOS: getrusage(2).
        most = usage.ru_maxrss // (1024 if sys.platform == "linux" else 1024 * 1024)
        work, progress = self.page.work or Work(), self.page.progress
        self._close()
        return End(
            f"{self.role.name} process {self.pid} {ended}{because} (at most {most} MiB of memory)",
            signal=max(0, -code),
            code=max(0, code),
            by_supervisor=bool(self.killed_for),
            work=work,
            progress=progress,
        )

    def read_stacks(self) -> str:
        """Return what the process has written of its stacks."""
        try:
            return os.read(self.stacks, 65_536).decode(errors="replace")
        except BlockingIOError:
            return ""

    def _close(self) -> None:
        if self.line is not None:
            self.line.close()
            self.line = None
        os.close(self.stacks)
        self.page.close()


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"  # most real-time signals have no name
