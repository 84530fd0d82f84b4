"""The -shm or the -wal of an open store is cut to nothing."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

from ....store import connect
from ....store.errors import FencepostError
from ...harness.child_processes import Me
from ...harness.forked import forked
from ...records.history import Recorder
from ...workloads.drain import drain, note_final
from .. import census

_BEFORE = 30


def cut(me: Me, work: str) -> None:
    """Cut each in a process that goes on writing; then look what the next one finds."""
    for suffix in ("-shm", "-wal"):
        path = Path(work, f"cut{suffix}", "store.db")
        path.parent.mkdir(mode=0o700)
        folder = Path(work, f"{'history' if suffix == '-shm' else 'unjudged'}-cut{suffix}")
        code = forked(_write_on, path, suffix, folder)
        history = Recorder(folder, "next")
        opened = "opened"
        try:
            with connect(path) as store:
                drain(store, history, "mail")
                note_final(store, history)
        except FencepostError as error:
            opened = error.code
        verdicts = [("typed-errors", code in (0, -signal.SIGBUS), f"{suffix} cut: ended {code}")]
        if suffix == "-shm":
            history.seen("integrity", says=census.integrity(path))
            verdicts.append(("all-open", opened == "opened", f"{suffix} cut, the next: {opened}"))
        history.close()
        me.ready(fault=f"{suffix} cut", verdicts=verdicts)
    me.ready(done=True)


def _write_on(path: Path, suffix: str, folder: Path) -> None:
    history = Recorder(folder, "writer")
    store = connect(path)
    queue = store.queue("mail")
    for n in range(2 * _BEFORE):
        if n == _BEFORE:
            os.truncate(f"{path}{suffix}", 0)
        with (
            contextlib.suppress(FencepostError),
            history.begin("enqueue", queue="mail", key=f"{n}") as call,
        ):
            receipt = queue.enqueue(b"hello", key=f"{n}")
            call.ok(status=receipt.status, message_id=receipt.message_id)
    store.close()
