"""The app of a pool that claims ahead: short handlers, and one that does not let go."""

from __future__ import annotations

import ctypes
import os
import time
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from ....app import App, Context
from ....store import Message
from ..environment import plant_canary

QUEUE = "ahead"
STUCK_SECONDS = 1.5

EFFECTS = "create table if not exists effects (key text)"


_TRANSACTIONS = 8

app = App("store.db")


# No number of kills makes a message a dead letter.
@app.task(QUEUE, max_attempts=1_000_000, max_crashes=1_000_000)
def ahead(message: Message, ctx: Context) -> None:
    """Note the try where no death of the process can take it back, and take a moment."""
    line = f"{message.key} {os.getpid()} {ctx.attempt} {time.monotonic_ns()}\n"
    fd = os.open("begun", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, line.encode())
    finally:
        os.close(fd)
    if message.body == b"stuck":
        ctypes.PyDLL(None).usleep(int(STUCK_SECONDS * 1e6))

    if message.id % _TRANSACTIONS == 0:
        with ctx.transaction() as tx:
            tx.execute("insert into effects values (?)", (message.key,))


class Try(NamedTuple):
    """A handler was called; nanoseconds of the monotonic clock."""

    key: str
    pid: int
    attempt: int
    at: int


class Tries:
    """All tries that handlers have noted in a folder so far.

    Attributes:
        of: By key, in their order.
        last: By pid, the last of each process.
    """

    def __init__(self, folder: Path) -> None:
        self.of: dict[str, list[Try]] = defaultdict(list)
        self.last: dict[int, Try] = {}
        self._path = folder / "begun"
        self._read = 0

    def look(self) -> None:
        """Read what is new."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._read)
            whole, _, _ = file.read().rpartition(b"\n")
        self._read += len(whole) + bool(whole)
        for line in whole.decode().splitlines():
            key, pid, attempt, at = line.split()
            found = Try(key, int(pid), int(attempt), int(at))
            self.of[key].append(found)
            self.last[found.pid] = found

    def begun_by(self, key: str, pid: int) -> bool:
        """True if a process has called its handler with a message."""
        return any(each.pid == pid for each in self.of.get(key, ()))


plant_canary()
