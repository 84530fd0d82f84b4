"""The gate: a fair queue of writing processes in front of SQLite's write lock.

SQLite's own busy handler lets the longest waiter poll rarest: with 8 writers one of
them can wait for seconds while another commits thousands of times. Here they take turns.
Who has the turn may come back for some milliseconds, because what costs most is that
another one begins: it has to wake up, and to read anew what the one before it wrote. Only
the first in the line asks whether the gate is free, and asks again a moment later: who has
the turn may be between two commits. So each turn stands in the file: until when it lasts, and
for how long its owner tends to be away. The others sleep, and the kernel lets in first who has
waited longest: each waits for the one before it (fs/locks.c). Measured with bench/gate.py.

The turn that stands in the file is a hint: its owner may have died, or may be busy with
something else. It keeps the first in the line waiting for some looks, and no longer.

A signal's handler may raise anywhere in here; signal_safe.py says how no lock is left behind.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import time
from collections.abc import Callable

from ..file import permissions
from . import signal_safe
from .line import FLAGS, Line
from .openings import Openings

# How long one may come back before it has to get in line: some twenty commits on a fast
# disk. Among n busy writers a wait is n - 1 times as long: 0.15 s at 16.
_TURN_SECONDS = 0.010
# A worker that has claimed a batch may commit for each of it. A batch is sized to last for 15 ms
# (workers/worker/prefetch.py), so all of it is one turn. The next begins another turn.
_BATCH_TURN_SECONDS = 0.020
# Longer than a busy writer is away between two commits. Without it most turns of 8 writers
# were over after one commit: 0.67 times what one writer does, and 0.80 with it.
_AWAY_SECONDS = 0.000_15
# A worker whose handlers commit is away for longer, by what is done around a handler. While a
# writer is away for more than that, another one could commit, which is worth the switch.
_MOST_LOOKS = 4
# How much of what is expected the newest time away makes up.
_NEW = 0.2
# Who looks whether the gate is free has it for a moment.
_TRIES = 10
# Between two tries of the first in line, which are first close together and then half as
# often again each time: who comes for a single commit is gone by then.
_FIRST_PAUSE_SECONDS = 0.000_1
_LAST_PAUSE_SECONDS = 0.000_5
# The first in line may have been stopped with SIGSTOP. Then the others go past it.
_STUCK_SECONDS = 0.5
_PAST_SECONDS = 5.0

_NOTE_BYTES = 128
# Behind the note: the end of the newest turn in nanoseconds of the monotonic clock, and how many
# times in a row the gate has to be found free before it is over sooner.
_TURN = struct.Struct("<qq")

_LOCK = fcntl.LOCK_EX | fcntl.LOCK_NB


class Gate:
    """A lock on a file beside the database, freed by the kernel when its holder dies.

    One thread at a time may use it.

    Attributes:
        leave: Gives the lock back, unless it went with the file.
        left_at: When that was, on time.monotonic(), if whoever calls it says so; else 0.
        openings: Who has the database open; its locks are on the same file.
        says_turns: Its turns stand in the file. False until the store is open: one that is
            refused is left as it was.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        try:
            self._fd = os.open(path, FLAGS | os.O_CREAT | os.O_EXCL, 0o600)
            self._made = True
        except FileExistsError:
            self._fd = os.open(path, FLAGS)
            self._made = False
        permissions.give_to_owner(self._fd, path.removesuffix("-gate"))
        self.leave: Callable[[], object] = signal_safe.unlock_file(self._fd)
        try:
            self._line = Line(path, self._fd)
        except BaseException:
            os.close(self._fd)
            raise
        self.openings = Openings(self._fd, path.removesuffix("-gate"))
        self.left_at = 0.0
        self.says_turns = False
        self._away = 0.0
        self._turn_until = 0.0
        self._past_until = 0.0

    def enter(self, deadline: float, *, batch: bool = False) -> bool:
        """Take the lock; False when time.monotonic() passed `deadline` first.

        `batch`: what begins now is a batch, whose commits should all be in one turn.
        """
        try:
            now = time.monotonic()
            if batch and 0 < self._turn_until - now < _BATCH_TURN_SECONDS / 2:
                self._say_turn(now)  # it is over
                self._turn_until = now
            if now < self._turn_until:
                if self.left_at:
                    self._away += _NEW * (now - self.left_at - self._away)
                for _ in range(_TRIES):
                    if self._try():
                        return True
            if now < self._past_until:
                entered = self._poll(deadline, at_once=False)
            else:
                entered = self._line.stand(
                    min(deadline, now + _STUCK_SECONDS),
                    at_once=lambda: self._poll(deadline, at_once=True),
                    later=lambda first: self._poll_behind(now, first, deadline),
                )
            if entered:
                seconds = _BATCH_TURN_SECONDS if batch else _TURN_SECONDS
                self._turn_until = time.monotonic() + seconds
                self._say_turn(self._turn_until)
            return entered
        except BaseException:
            self.leave()
            raise

    def note(self) -> bytes:
        """Return what is kept in the file, with NULs behind it."""
        return os.pread(self._fd, _NOTE_BYTES, 0)

    def set_note(self, text: bytes, *, sync: bool) -> None:
        """Keep a text in the file in place of what is there; `sync`: on disk when this returns."""
        os.pwrite(self._fd, text.ljust(_NOTE_BYTES, b"\0"), 0)
        if sync:
            os.fdatasync(self._fd)

    def remove_if_made(self) -> None:
        """Leave nothing behind beside a file that turned out to be no store."""
        if self._made:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path)

    def close(self) -> None:
        """Close the file, and the lock with it; twice is as good as once."""
        self._line.end()
        self._close()

    def abandon(self) -> None:
        """Close the file in a forked child; the lock is the parent's as well, and stays its."""
        self._line.abandon()
        self._close()

    def _close(self) -> None:
        fd, self._fd = self._fd, -1  # by now the number may be another file's
        if fd >= 0:
            self.leave = bool  # does nothing
            os.close(fd)

    def _poll_behind(self, began: float, first: bool, deadline: float) -> bool:
        if not first and time.monotonic() >= began + _STUCK_SECONDS:
            self._past_until = began + _PAST_SECONDS
        return self._poll(deadline, at_once=False)

    def _say_turn(self, until: float) -> None:
        """Let the first in the line know when this turn ends."""
        if not self.says_turns:
            return
        looks = 1 + int(2 * self._away / _AWAY_SECONDS)
        turn = _TURN.pack(int(until * 1e9), looks if looks <= _MOST_LOOKS else 1)
        with contextlib.suppress(OSError):  # a full disk
            os.pwrite(self._fd, turn, _NOTE_BYTES)

    def _turn(self, now: float) -> tuple[float, int]:
        """Return how many seconds the newest turn goes on, and its looks."""
        turn = os.pread(self._fd, _TURN.size, _NOTE_BYTES)
        if len(turn) < _TURN.size:
            return 0.0, 1
        until, looks = _TURN.unpack(turn)
        return until / 1e9 - now, max(1, min(looks, _MOST_LOOKS))

    def _poll(self, deadline: float, *, at_once: bool) -> bool:
        """Take the gate when it is free and nobody's turn; `at_once`: or free at the first look."""
        pause, free = _FIRST_PAUSE_SECONDS, 0
        while True:
            entered = self._try()
            now = time.monotonic()
            left, looks = self._turn(now)
            if entered:
                if at_once or free == looks or left <= 0:
                    return True
                self.leave()
                free += 1
                time.sleep(_AWAY_SECONDS)
            elif now >= deadline:
                return False
            else:
                at_once, free = False, 0
                if 0 < left < pause:
                    time.sleep(left)
                    pause = _FIRST_PAUSE_SECONDS
                else:
                    time.sleep(pause)
                    pause = min(pause * 1.5, _LAST_PAUSE_SECONDS)

    def _try(self) -> bool:
        try:
            fcntl.flock(self._fd, _LOCK)
        except BlockingIOError:
            return False
        return True
