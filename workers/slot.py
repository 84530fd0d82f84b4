"""A place in the pool that one process at a time fills."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import multiprocess
from multiprocess.connection import Connection
from multiprocess.process import BaseProcess

_HEALTHY_SECONDS = 1.0
_FIRST_DELAY_SECONDS = 0.1
_MAX_DELAY_SECONDS = 1.0

# Fork would carry connections and locks over; a spawned process begins with nothing.
_spawn = multiprocess.get_context("spawn")


@dataclass(frozen=True, slots=True)
class Role:
    """A kind of process, and how many of it.

    Attributes:
        entry: Called in the child as entry(line, parent's pid, *arguments). It sends
            b"ready <worker id>" (0 when it is no worker) once it is up, and
            b"limit <milliseconds>" to be killed after so long, b"limit 0" to be spared.
    """

    name: str
    count: int
    entry: Callable[..., None]
    arguments: tuple[object, ...] = ()


class Slot:
    """One process of a role, and then its successors.

    Attributes:
        ready: The process has said that it is up.
        worker: Its id in the store, None before it is ready and 0 for no worker.
        start_at: time.monotonic() from which an empty slot may be filled.
        end: A descriptor that is readable once the process has ended.
        false_starts: Processes in a row that exited with an error before they were up.
    """

    def __init__(self, role: Role) -> None:
        self.role = role
        self.ready = False
        self.worker: int | None = None
        self.start_at = 0.0
        self.false_starts = 0
        self.kill_at: float | None = None
        self.process: BaseProcess | None = None
        self.line: Connection | None = None
        self.end = -1
        self._killed_for = ""
        self._limit = 0.0
        self._started = 0.0
        self._early_deaths = 0

    def start(self) -> None:
        """Fill the slot with a new process."""
        self.line, far_end = _spawn.Pipe()
        process = _spawn.Process(
            target=self.role.entry,
            args=(far_end, os.getpid(), *self.role.arguments),
            name=f"fencepost-{self.role.name}",
        )
        # A Ctrl-C before the child ignores it would end its start with a traceback. What is
        # blocked stays blocked over exec, and waits for us.
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        self.process = process
        self.end = _end_of(process)
        far_end.close()  # so that the line ends when the child does
        self.ready, self.worker, self.kill_at, self._killed_for = False, None, None, ""
        self._started = time.monotonic()

    def hear(self) -> None:
        """Take in what the process has said."""
        assert self.line is not None
        try:
            word, _, number = self.line.recv_bytes().decode().partition(" ")
        except (EOFError, OSError):
            self.line.close()
            self.line = None
            return
        if word == "ready":
            self.ready, self.worker, self.false_starts = True, int(number), 0
        elif word == "limit":
            self._limit = int(number) / 1000
            self.kill_at = time.monotonic() + self._limit if self._limit else None

    def kill_when_over(self) -> None:
        """Kill a process whose handler is over its time."""
        if self.kill_at is not None and time.monotonic() >= self.kill_at:
            self._killed_for = f" after {self._limit:g} s, its handler's timeout"
            self.kill_at = None
            self.signal(signal.SIGKILL)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process, if there is one."""
        if self.process is not None and self.process.pid is not None and self.process.is_alive():
            os.kill(self.process.pid, number)

    def empty(self) -> tuple[int | None, str]:
        """Clear a process that has ended away; return its worker id and what became of it."""
        process = self.process
        assert process is not None
        while self.line is not None:  # what it said last counts
            if not self.line.poll():
                self.line.close()
                self.line = None
            else:
                self.hear()
        process.join()
        code = process.exitcode or 0
        pid, worker = process.pid, self.worker
        process.close()
        os.close(self.end)
        self.process = None
        ended = f"was killed by {_name(-code)}" if code < 0 else f"exited with {code}"
        why = f"{self.role.name} process {pid} {ended}{self._killed_for}"
        if code > 0 and not self.ready:
            self.false_starts += 1
        lived = time.monotonic() - self._started
        self._early_deaths = self._early_deaths + 1 if lived < _HEALTHY_SECONDS else 0
        delay = min(_MAX_DELAY_SECONDS, _FIRST_DELAY_SECONDS * 2 ** (self._early_deaths - 1))
        self.start_at = time.monotonic() + (delay if self._early_deaths > 1 else 0)
        return worker, why


def _end_of(process: BaseProcess) -> int:
    if sys.platform == "linux":
        assert process.pid is not None
        return os.pidfd_open(process.pid)
    # A process that a handler left behind holds this open as well.
    return os.dup(process.sentinel)


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"  # most real-time signals have no name
