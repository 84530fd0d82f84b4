"""Checkpoints: a step of their own after a commit, never inside one.

With SQLite's automatic checkpoint a COMMIT can raise although it has happened. Ours
runs behind the gate, where no writer of the store can be in its way.
"""

from __future__ import annotations

from dataclasses import dataclass

import apsw

_DUE_PAGES = 1000  # SQLite's own default: 4 MB of 4 KiB pages


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
    """Counts the pages in the WAL at each commit of one connection."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._pages = 0
        self._due = _DUE_PAGES
        connection.set_wal_hook(self._committed)

    def run(self) -> Report:
        """Checkpoint as far as it goes without waiting for a reader."""
        pages, moved = self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        return Report(pages, moved)

    def run_when_due(self) -> None:
        """Checkpoint once the WAL has grown by a thousand pages.

        Call it behind the gate, after the commit. An error is left to the next call:
        the commit stands, and all that is lost is room.
        """
        if self._pages < self._due:
            return
        try:
            complete = self.run().complete
        except apsw.Error:
            complete = False
        # Pages that a reader holds back are not tried again at every commit.
        self._due = _DUE_PAGES if complete else self._pages + _DUE_PAGES

    def _committed(self, connection: apsw.Connection, database: str, pages: int) -> int:
        if pages < self._pages:
            self._due = _DUE_PAGES  # the WAL began anew
        self._pages = pages
        return apsw.SQLITE_OK
