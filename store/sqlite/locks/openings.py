"""Whether other processes have the database open: locks on two bytes of the gate's file.

Other than SQLite's own locks these are not lost when the process opens the database by
other means, and they tell whether those who have it open have found it in order: they have
made durable what an earlier process left in the WAL (recovery.py), or have met others who had.

The first byte is shared by all who open the database or have it open. Whoever has it alone
is the first. The second is shared by all who have it open and in order.

Who wants to open it without passing the gate shares the first byte, opens the database, and
then looks for another at the second. Nobody can begin to hold that one while the first byte
is shared and nobody holds the second. So one that is found there was there throughout, and
SQLite has recovered nothing meanwhile.
"""

from __future__ import annotations

import sys
import time

from ...errors import StoreBusy
from . import byte_locks

_OPEN = 1  # 0 is the line's; gate.py
_IN_ORDER = 2

_PATIENCE_SECONDS = 5.0
_PAUSE_SECONDS = 0.001


class Openings:
    """The two locks of one opening of the gate's file."""

    def __init__(self, fd: int, path: str) -> None:
        self._fd = fd
        self._path = path

    def is_first(self) -> bool:
        """True when no other has the database open; call it behind the gate.

        None can open it then until `join` or `part`. It waits for one that comes past the
        gate to find out whether it may.

        Raises:
            StoreBusy: That one makes no progress.
        """
        started = time.monotonic()
        while not byte_locks.take(self._fd, _OPEN):
            if byte_locks.taken_elsewhere(self._fd, _IN_ORDER):
                return False
            if (waited := time.monotonic() - started) > _PATIENCE_SECONDS:
                raise StoreBusy(operation="open", path=self._path, waited=waited)
            time.sleep(_PAUSE_SECONDS)
        return True

    def arrive(self) -> bool:
        """Share the first byte, when another has the database open and in order."""
        # Elsewhere than on Linux these are locks of the process, which sees none of its own.
        if sys.platform != "linux" or not self.has_company():
            return False
        return byte_locks.share(self._fd, _OPEN)

    def has_company(self) -> bool:
        """True while another opening has the database open and in order."""
        return byte_locks.taken_elsewhere(self._fd, _IN_ORDER)

    def join(self) -> None:
        """Say that this one has it open and in order, until `part`, or the process ends."""
        byte_locks.share(self._fd, _OPEN)
        byte_locks.share(self._fd, _IN_ORDER)

    def part(self) -> None:
        """Say that this one has it open no longer."""
        byte_locks.give(self._fd, _IN_ORDER)
        byte_locks.give(self._fd, _OPEN)
