"""Checkpoints of the WAL, as a separate step after a commit.

With SQLite's automatic checkpoint a COMMIT can raise although it has happened. Ours
runs behind the gate, where no writer of the store can be in its way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import apsw

DUE_PAGES = 1000  # SQLite's own default: 4 MB of 4 KiB pages

# Readers that overlap keep a WAL from ever beginning anew, however short each of them is;
# a moment's wait lets those go that read it now, while new ones read the database alone.
# SQLite waits twice, and all writers wait meanwhile; sqlite.org/wal.html 6.
_STALL_MS = 40


@dataclass(frozen=True, slots=True)
class Report:
    """What a checkpoint did: pages in the WAL, and how many of them are in the database."""

    pages: int
    moved: int

    @property
    def complete(self) -> bool:
        """False when a reader held pages back."""
        return self.moved == self.pages


class Checkpointer:
    """Counts the pages in the WAL at each commit of one connection.

    `write_again` is for commits that only the sync of a checkpoint puts on the disk. When that
    sync has failed the next one would succeed and do nothing (recovery.py).
    """

    def __init__(
        self,
        connection: apsw.Connection,
        due_pages: int = DUE_PAGES,
        write_again: Callable[[], None] | None = None,
    ) -> None:
        self._connection = connection
        self._write_again = write_again
        self._doubtful = False
        self._pages = 0
        self._every = due_pages
        self._due = due_pages
        self._patient_from = due_pages
        connection.set_wal_hook(self._committed)

    def run(self, *, patient: bool = False) -> Report:
        """Checkpoint as far as readers allow.

        A patient one waits for them a moment, so that the next commit begins the WAL anew.
        """
        if patient:
            self._connection.set_busy_timeout(_STALL_MS)
            try:
                return self._checkpoint(apsw.SQLITE_CHECKPOINT_RESTART)
            except apsw.BusyError:
                pass  # one that does not wait says how far it has come
        return self._checkpoint(apsw.SQLITE_CHECKPOINT_PASSIVE)

    def run_when_due(self) -> None:
        """Checkpoint once the WAL has grown by so many pages.

        Call it behind the gate, after the commit. An error is left to the next call:
        the commit stands, and all that is lost is room.
        """
        if self._pages < self._due:
            return
        patient = self._pages >= self._patient_from
        try:
            complete = self.run(patient=patient).complete
        except apsw.Error:
            complete = False
        # Pages that a reader holds back are not tried again at every commit, and a reader
        # that stays is waited for ever more rarely.
        self._due = self._every if complete else self._pages + self._every
        if patient and not complete:
            self._patient_from = 2 * self._pages

    def _checkpoint(self, mode: int) -> Report:
        if self._doubtful and self._write_again:
            self._write_again()
            self._doubtful = False
        try:
            return Report(*self._connection.wal_checkpoint(mode=mode))
        except (apsw.IOError, apsw.FullError):
            self._doubtful = True
            raise

    def _committed(self, connection: apsw.Connection, database: str, pages: int) -> int:
        if pages < self._pages:
            self._due = self._patient_from = self._every  # the WAL began anew
        self._pages = pages
        return apsw.SQLITE_OK
