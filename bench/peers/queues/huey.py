"""huey: SqliteHuey, its task, and its consumer with two worker processes."""

from __future__ import annotations

from typing import Any, ClassVar

from ..handler import handle
from ..place import Place
from ..queue import WORKERS, OneByOne, Promises, Queue, sqlite_setting


def _open(place: Place) -> tuple[Any, Any]:
    from huey import SqliteHuey

    options = {} if place.durability == "full" else {"fsync": False}
    huey = SqliteHuey(filename=str(place.folder / "huey.db"), **options)
    return huey, huey.task()(handle)


class Producer(OneByOne):
    """A call of the task puts it into the queue."""

    def __init__(self, place: Place) -> None:
        self.huey, self.task = _open(place)

    def put(self, number: int, body: bytes) -> object:
        """Call the task."""
        return self.task(body)

    def setting(self) -> str:
        """Read the pragma on huey's own connection."""
        row = self.huey.storage.conn.execute("pragma synchronous").fetchone()
        mode = self.huey.storage.conn.execute("pragma journal_mode").fetchone()
        return sqlite_setting(mode[0], row[0])


class Huey(Queue):
    """As it comes, and with fsync=False, its only other setting."""

    name = "huey"
    package = "huey"
    durabilities: ClassVar[dict[str, str]] = {"full": "survived", "off": "not survived"}
    processes = 1
    messages = (2_000, 4_000)
    promises = Promises(
        fenced="no: a task is deleted when it is taken",
        deduped="no",
        killed="no: the running task is gone",
        note="huey/storage.py, SqliteStorage.dequeue",
    )

    def producer(self, place: Place) -> Producer:
        """Open the file."""
        return Producer(place)

    def work(self, place: Place) -> None:
        """Run the consumer."""
        huey, _task = _open(place)
        huey.create_consumer(workers=WORKERS, worker_type="process").run()
