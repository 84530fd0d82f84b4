"""The database is taken from under a process that writes to it, and put back."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from ....store import Queue, connect
from ....store.errors import FencepostError
from ...harness.child_processes import Me
from ...harness.run import Run
from ...records.history import Recorder, now_ns, read
from ...workloads.drain import drain, note_final
from .. import census


def _rename(path: Path) -> None:
    path.rename(path.with_name("elsewhere.db"))


def _unlink(path: Path) -> None:
    path.with_name("elsewhere.db").hardlink_to(path)  # so that it can be put back
    path.unlink()


def _replace(path: Path) -> None:
    other = path.with_name("other.db")
    connect(other).close()
    path.with_name("elsewhere.db").hardlink_to(path)
    other.replace(path)


def _link(path: Path) -> None:
    _rename(path)
    path.symlink_to(path.with_name("elsewhere.db"))


def _put_back(path: Path) -> None:
    path.with_name("elsewhere.db").replace(path)


def _move_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_suffix(".moved"))


def _move_back(path: Path) -> None:
    path.parent.with_suffix(".moved").rename(path.parent)


WAYS: dict[str, tuple[Callable[[Path], None], Callable[[Path], None]]] = {
    "renamed": (_rename, _put_back),
    "unlinked": (_unlink, _put_back),
    "replaced": (_replace, _put_back),
    "replaced by a link": (_link, _put_back),
    "moved with its folder": (_move_folder, _move_back),
}


def take(run: Run) -> None:
    """Take the file from a writer in each way, and look what it was told."""
    writer = run.start("writer", _write, str(run.folder), len(WAYS))
    for number, (way, (take, put_back)) in enumerate(WAYS.items()):
        path = run.folder / f"taken-{number}" / "store.db"
        path.parent.mkdir(mode=0o700)
        writer.go()
        writer.heard()
        time.sleep(run.random.uniform(0.005, 0.05))
        take(path)
        taken = now_ns()
        writer.go()
        run.fault(f"database {way}")
        refused = writer.heard()
        told = refused["error"]
        run.check("typed-errors", told in ("store_failed", "outcome_unknown"), f"{way}: {told}")
        put_back(path)
        writer.go()
        writer.heard()
        history = Recorder(run.folder / f"history-taken-{number}", "scenario")
        with connect(path) as store:
            drain(store, history, "mail")
            note_final(store, history)
        history.seen("integrity", says=census.integrity(path))
        history.close()
        calls = read(run.folder / f"history-taken-{number}")
        back = refused["at"]
        for call in calls:
            if call.op == "enqueue" and taken < call.began < back:
                run.check(
                    "nothing-lost",
                    call.outcome != "ok",
                    f"{way}: {call.what['key']} was acknowledged by a file without its name",
                )
        if run.canary and run.has_findings:
            return
    writer.join()


def _write(me: Me, work: str, stores: int) -> None:
    for number in range(stores):
        me.wait()
        history = Recorder(Path(work, f"history-taken-{number}"), me.name)
        with connect(Path(work, f"taken-{number}", "store.db")) as store:
            queue, keys, error = store.queue("mail"), 0, ""
            _enqueue(queue, history, "first")
            me.ready()
            is_taken = False
            while not error and not is_taken:
                is_taken = not me.going  # before it begins, so that the last one has to be refused
                keys += 1
                error = _enqueue(queue, history, f"{keys}")
            me.wait()
            _enqueue(queue, history, "again")
            me.ready(error=error, at=now_ns())
            me.wait()
            _enqueue(queue, history, "last")
        history.close()
        me.ready()


def _enqueue(queue: Queue, history: Recorder, key: str) -> str:
    """Return the error's code, "" when it was stored."""
    try:
        with history.begin("enqueue", queue="mail", key=key) as call:
            receipt = queue.enqueue(b"hello", key=key)
            call.ok(status=receipt.status, message_id=receipt.message_id)
    except FencepostError as error:
        return error.code
    return ""
