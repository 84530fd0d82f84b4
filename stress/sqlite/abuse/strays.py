"""A process that opens and closes the database's files by itself, and loses its locks on them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from ....store import Queue, connect
from ....store.errors import FencepostError
from ...harness.child_processes import Me
from ...harness.run import Run
from ...records.history import Recorder
from ...workloads.drain import drain, note_final
from .. import census
from . import unseen

_FILES = ("", "-wal", "-shm")


def _read_one(path: Path) -> None:
    unseen.touch(path)


def _copy_one(path: Path) -> None:
    unseen.copy(path, path.with_name("copy.db"))


def _copy_all(path: Path) -> None:
    for suffix in _FILES:
        unseen.copy(f"{path}{suffix}", path.with_name(f"copy.db{suffix}"))


def _read_shared_memory(path: Path) -> None:
    unseen.touch(f"{path}-shm")


def _other_sqlite(path: Path) -> None:
    unseen.query(path, "select count(*) from sqlite_schema")


WAYS: dict[str, Callable[[Path], None]] = {
    "reads the database": _read_one,
    "copies the database": _copy_one,
    "copies all files": _copy_all,
    "reads the -shm": _read_shared_memory,
    "asks another SQLite": _other_sqlite,
}
CASES = [(way, moment) for moment in ("in a transaction", "between two") for way in WAYS]


def stray(run: Run) -> None:
    """Have a process do each of these, while another that has the store open closes it."""
    cases = int(run.size["strays"])
    strayer = run.start("strayer", _stray, str(run.folder), cases)
    for number, (way, moment) in enumerate(CASES[-cases:]):
        path = run.folder / f"stray-{number}" / "store.db"
        path.parent.mkdir(mode=0o700)
        history = Recorder(run.folder / f"history-stray-{number}", "scenario")
        other = connect(path)
        _enqueue(other.queue("mail"), history, "before")
        strayer.go()
        strayer.heard()
        run.fault(f"stray process {way}")
        other.close()
        strayer.go()
        strayer.heard()
        with connect(path) as store:
            for n in range(5):
                _enqueue(store.queue("mail"), history, f"meanwhile {n}")
            strayer.go()
            strayer.heard()
        with connect(path) as store:
            drain(store, history, "mail")
            note_final(store, history)
        found = census.integrity(path)
        run.check("integrity", found == "ok", f"a process {way} {moment}: {found}")
        history.close()
    strayer.join()


def _stray(me: Me, work: str, cases: int) -> None:
    for number, (way, moment) in enumerate(CASES[-cases:]):
        me.wait()
        path = Path(work, f"stray-{number}", "store.db")
        history = Recorder(Path(work, f"history-stray-{number}"), me.name)
        store = connect(path)
        queue = store.queue("mail")
        _enqueue(queue, history, "own")
        if moment == "between two":
            WAYS[way](path)
            me.ready()
            me.wait()
            _enqueue(queue, history, "within")
        else:
            with (
                contextlib.suppress(FencepostError),
                history.begin("enqueue", queue="mail", key="within") as call,
            ):
                with store.transaction():
                    receipt = queue.enqueue(b"hello", key="within")
                    WAYS[way](path)
                    me.ready()
                    me.wait()
                call.ok(status=receipt.status, message_id=receipt.message_id)
        me.ready()
        me.wait()
        _enqueue(queue, history, "after")
        store.close()
        history.close()
        me.ready()


def _enqueue(queue: Queue, history: Recorder, key: str) -> None:
    with (
        contextlib.suppress(FencepostError),
        history.begin("enqueue", queue="mail", key=key) as call,
    ):
        receipt = queue.enqueue(b"hello", key=key)
        call.ok(status=receipt.status, message_id=receipt.message_id)
