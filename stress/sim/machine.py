"""What the simulated processes get from their machine: clocks, pids, locks, room, chance.

The store's code reads them where it always does. While a machine is in use, the standard
library's functions answer for it.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from ...store.sqlite.locks import signal_safe

FIRST_WALL_MS = 1_800_000_000_000
# So small that the ballast is, and that checkpoints come often.
DISK_BYTES = 4 * 1024 * 1024
_BLOCK = 4096

_LOCK = struct.Struct("hhq")  # how struct flock begins: l_type, l_whence, l_start
# Who polls for a lock sleeps for as long, at least: time costs nothing here.
_LEAST_SLEEP_MS = 25


class Machine:
    """One machine, from boot to boot.

    Attributes:
        boot, wall: Its clocks, in milliseconds.
        read_ms: What was last read from the boot clock.
        pid: The process that runs.
        hog: Bytes of the disk that are somebody else's.
        holder: The process that has the lock on writing, 0 when none has.
        before_lock: Called before a process asks for the lock on writing.
        within_lock: Called when the one that has it reads the clock.
        after_lock: Called before it is given back.
    """

    def __init__(self, random: Random, path: str) -> None:
        self.random = random
        self.boot = 1_000_000
        self.wall = FIRST_WALL_MS
        self.read_ms = 0
        self.pid = 1
        self.hog = 0
        self.before_lock: Callable[[], None] = lambda: None
        self.within_lock: Callable[[], None] = lambda: None
        self.after_lock: Callable[[], None] = lambda: None
        self.holder = 0
        self._boots = 1
        self._real: dict[str, Callable[..., Any]] = {}
        self._in_line = False
        self._files = (path, path + "-wal", path + "-ballast")

    # the store's clock

    def boot_ms(self) -> int:
        if self.holder == self.pid:
            self.within_lock()
        self.read_ms = self.boot
        return self.boot

    def boot_id(self) -> str:
        return f"boot {self._boots}"

    def wall_ms(self) -> int:
        return self.wall

    # what happens to it

    def pass_time(self, milliseconds: int) -> None:
        """Let time go by."""
        self.boot += milliseconds
        self.wall += milliseconds

    def reboot(self, away_ms: int) -> None:
        """Start anew after so long."""
        self._boots += 1
        self.wall += away_ms
        self.boot = self.random.randrange(1_000, 60_000)

    @contextmanager
    def running(self, pid: int) -> Iterator[None]:
        """Run as another process until the block ends."""
        was = self.pid, self._in_line, self.read_ms
        self.pid, self._in_line = pid, False
        try:
            yield
        finally:
            self.pid, self._in_line, self.read_ms = was

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Answer in the place of the operating system until the block ends."""
        places: list[tuple[Any, str, Any]] = [
            (time, "monotonic", lambda: self.boot / 1000),
            (time, "sleep", self._sleep),
            (os, "getpid", lambda: self.pid),
            (os, "statvfs", self._statvfs),
            (Path, "read_text", lambda path, *how: self._read_text(path, *how)),
            (
                secrets,
                "token_hex",
                lambda size=16: f"{self.random.getrandbits(size * 8):0{size * 2}x}",
            ),
            (fcntl, "flock", self._flock),
            (fcntl, "fcntl", self._fcntl),
            (signal_safe, "unlock_file", self._unlock_file),
            (signal_safe, "unlock_byte", self._unlock_byte),
        ]
        was = [(module, name, getattr(module, name)) for module, name, _ in places]
        self._real = {name: function for _, name, function in was}
        for module, name, function in places:
            setattr(module, name, function)
        try:
            yield
        finally:
            for module, name, function in was:
                setattr(module, name, function)

    def _read_text(self, path: Path, *arguments: Any) -> str:
        if str(path) == "/proc/locks":  # one process holds them all, and to read it takes long
            return ""
        text: str = self._real["read_text"](path, *arguments)
        return text

    def _sleep(self, seconds: float) -> None:
        self.pass_time(max(_LEAST_SLEEP_MS, round(seconds * 1000)))

    def _statvfs(self, path: str) -> os.statvfs_result:
        used = self.hog
        for name in self._files if used else ():  # otherwise there is room, however much
            with suppress(FileNotFoundError):
                used += os.lstat(name).st_size
        free = max(0, DISK_BYTES - used) // _BLOCK
        return os.statvfs_result(
            (_BLOCK, _BLOCK, DISK_BYTES // _BLOCK, free, free, 10_000, 10_000, 10_000, 0, 255)
        )

    def _flock(self, fd: int, operation: int) -> None:
        """The gate itself."""
        if operation & fcntl.LOCK_UN:
            self.after_lock()
            self._real["flock"](fd, operation)
            if self.holder == self.pid:
                self.holder = 0
            return
        if not self._in_line:
            self.before_lock()
        self._real["flock"](fd, operation)
        self.holder = self.pid

    def _unlock_file(self, fd: int) -> Callable[[], object]:
        return partial(self._flock, fd, fcntl.LOCK_UN)

    def _unlock_byte(self, fd: int, byte: int) -> Callable[[], object]:
        request = signal_safe.FLOCK.pack(fcntl.F_UNLCK, os.SEEK_SET, byte, 1, 0)
        return partial(self._fcntl, fd, fcntl.F_OFD_SETLK, request)

    def _fcntl(self, fd: int, command: int, argument: Any = 0) -> Any:
        """The line before the gate: who is in it cannot be overtaken."""
        kind, _, byte = _LOCK.unpack_from(argument) if command == fcntl.F_OFD_SETLK else (0, 0, 1)
        if byte:
            return self._real["fcntl"](fd, command, argument)
        if kind == fcntl.F_WRLCK and not self._in_line:
            self.before_lock()
        answer = self._real["fcntl"](fd, command, argument)
        self._in_line = kind == fcntl.F_WRLCK
        return answer
