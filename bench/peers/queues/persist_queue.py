"""persist-queue: SQLiteAckQueue, its get and ack in a loop, since it has no workers."""

from __future__ import annotations

import time
from typing import Any, ClassVar

from ..handler import handle
from ..place import Place
from ..queue import OneByOne, Promises, Queue, sqlite_setting

_POLL_SECONDS = 0.001


def _open(place: Place, resume: bool) -> Any:
    from persistqueue import SQLiteAckQueue

    return SQLiteAckQueue(str(place.folder / "persist"), auto_resume=resume)


class Producer(OneByOne):
    """One queue, kept open."""

    def __init__(self, place: Place) -> None:
        self.queue = _open(place, False)

    def put(self, number: int, body: bytes) -> object:
        """Put bytes, which it pickles."""
        return self.queue.put(body)

    def setting(self) -> str:
        """Read the pragma on its connection."""
        row = self.queue._putter.execute("pragma synchronous").fetchone()
        mode = self.queue._putter.execute("pragma journal_mode").fetchone()
        return sqlite_setting(mode[0], row[0])


class PersistQueue(Queue):
    """As it comes."""

    name = "persist-queue"
    package = "persist-queue"
    durabilities: ClassVar[dict[str, str]] = {"full": "survived"}
    messages = (2_000, 1_500)
    promises = Promises(
        fenced="no: two processes can get the same message",
        deduped="no",
        killed="by hand: resume_unack_tasks()",
        note="persistqueue/sqlackqueue.py, _pop and resume_unack_tasks",
    )

    def prepare(self, place: Place) -> None:
        """Make the table."""
        _open(place, False).close()

    def producer(self, place: Place) -> Producer:
        """Open the file."""
        return Producer(place)

    def work(self, place: Place) -> None:
        """Get, handle, ack."""
        from persistqueue import Empty

        queue = _open(place, False)
        while True:
            try:
                item = queue.get(block=False, raw=True)
            except Empty:
                time.sleep(_POLL_SECONDS)
                continue
            handle(item["data"])
            queue.ack(id=item["pqid"])

    def recover(self, place: Place) -> None:
        """Make what was not acked ready again."""
        _open(place, True).close()
