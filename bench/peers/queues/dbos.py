"""DBOS on SQLite: a client that enqueues workflows, and processes that run them."""

from __future__ import annotations

import os
import threading
from typing import Any, ClassVar

from ..handler import handle
from ..place import Place
from ..queue import OneByOne, Promises, Queue, sqlite_setting

_QUEUE = "bench"
_VERSION = "1"


def _url(place: Place) -> str:
    return f"sqlite:///{place.folder}/dbos.db"


def _launch(place: Place, executor: str) -> Any:
    from dbos import DBOS

    DBOS(
        config={
            "name": "bench",
            "system_database_url": _url(place),
            "application_version": _VERSION,
            "executor_id": executor,
            "log_level": "ERROR",
        }
    )
    DBOS.workflow(name="handle")(handle)
    DBOS.launch()
    DBOS.register_queue(_QUEUE)
    return DBOS


class Producer(OneByOne):
    """A client of the system database."""

    def __init__(self, place: Place) -> None:
        from dbos import DBOSClient

        self.client = DBOSClient(system_database_url=_url(place))

    def put(self, number: int, body: bytes) -> object:
        """Enqueue a workflow."""
        options: Any = {"queue_name": _QUEUE, "workflow_name": "handle", "app_version": _VERSION}
        return self.client.enqueue(options, body)

    def setting(self) -> str:
        """Read the pragmas on a connection of its engine."""
        with self.client._sys_db.engine.connect() as connection:
            row = connection.exec_driver_sql("pragma synchronous").fetchone()
            mode = connection.exec_driver_sql("pragma journal_mode").fetchone()
        return sqlite_setting(mode[0], row[0])


class Dbos(Queue):
    """As it comes."""

    name = "DBOS"
    package = "dbos"
    durabilities: ClassVar[dict[str, str]] = {"full": "survived"}
    messages = (300, 300)
    promises = Promises(
        fenced="yes: the execution's token, when it records its outcome",
        deduped="yes, by workflow id",
        killed="yes: when its executor id starts again",
        note="dbos/_sys_db.py, update_workflow_outcome; dbos/_recovery.py",
    )

    def prepare(self, place: Place) -> None:
        """Make the tables."""
        _launch(place, "0").destroy()

    def producer(self, place: Place) -> Producer:
        """Connect."""
        return Producer(place)

    def work(self, place: Place) -> None:
        """Run what is enqueued."""
        _launch(place, os.environ["PEERS_WORKER"])
        threading.Event().wait()
