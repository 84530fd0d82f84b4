"""Writers at one lock, let write for a while: how often each did, and how long it waited."""

from __future__ import annotations

import shutil
import time
from collections import Counter

from ...store import connect
from ...store.errors import StoreBusy
from ..harness.child_processes import Me
from ..harness.run import Run
from ..machine import trials
from ..records.history import Call, read
from .bare import BareWriter

BUSY_SECONDS = 5.0

_BODY = bytes(1024)


class Cell:
    """What so many writers did in one stretch of time.

    Attributes:
        waits: How long each commit waited for the lock, in milliseconds.
        counts: Commits by writer.
        gave_up: How long each StoreBusy took to come, in milliseconds.
    """

    def __init__(self, calls: list[Call], seconds: float) -> None:
        self.waits = [call.answer["ms"] for call in calls if call.op == "waited"]
        self.counts = Counter(call.process for call in calls if call.op == "waited")
        for call in calls:
            self.counts.setdefault(call.process, 0)
        self.gave_up = [call.answer["ms"] for call in calls if call.op == "gave up"]
        self.rate = len(self.waits) / seconds


class Writers:
    """Child processes that write when told to, at the gate or behind a bare busy_timeout.

    Attributes:
        syncs: How long the disk took for each fdatasync beside them, in milliseconds.
    """

    def __init__(self, run: Run, most: int) -> None:
        self.syncs: list[float] = []
        self._run = run
        self._cells = 0
        self._children = [run.start(f"writer-{n}", _work) for n in range(most)]

    def measure(self, count: int, seconds: float, *, gated: bool) -> Cell:
        """Let so many writers write on a new file, each as fast as it can."""
        self.syncs += trials.fdatasync_ms(self._run.folder, 100)
        self._cells += 1
        number = self._cells
        folder = self._run.folder / f"{number}"
        folder.mkdir(mode=0o700)
        path = str(folder / "store.db")
        if gated:
            with connect(path) as store, store.transaction() as tx:
                tx.execute("create table writes (writer text, body blob)")
        else:
            BareWriter(path, 0).close()
        children = self._children[:count]
        for child in children:
            child.go(cell=number, path=path, gated=gated)
        for child in children:
            child.heard()
        for child in children:
            child.go(seconds=seconds)
        for child in children:
            child.heard(seconds + 60)
        shutil.rmtree(folder)
        calls = [
            call for call in read(self._run.folder / "history") if call.answer["cell"] == number
        ]
        return Cell(calls, seconds)

    def end(self) -> None:
        """Let the writers go."""
        for child in self._children:
            child.enough()
        for child in self._children:
            child.join()


def _work(me: Me) -> None:
    while (facts := me.wait()) is not None:
        write = _write if facts["gated"] else _write_bare
        write(me, facts["path"], facts["cell"])
        me.ready()


def _write(me: Me, path: str, cell: int) -> None:
    with connect(path, busy_timeout=BUSY_SECONDS) as store:
        end = _start(me, cell)
        while (asked := time.monotonic()) < end:
            try:
                with store.transaction() as tx:
                    waited = time.monotonic() - asked
                    tx.execute("insert into writes values (?, ?)", (me.name, _BODY))
                me.history.seen("waited", cell=cell, ms=waited * 1000)
            except StoreBusy:
                me.history.seen("gave up", cell=cell, ms=(time.monotonic() - asked) * 1000)


def _write_bare(me: Me, path: str, cell: int) -> None:
    writer = BareWriter(path, int(BUSY_SECONDS * 1000))
    end = _start(me, cell)
    while (asked := time.monotonic()) < end:
        if writer.begin():
            waited = time.monotonic() - asked
            writer.insert(me.name, _BODY)
            me.history.seen("waited", cell=cell, ms=waited * 1000)
        else:
            me.history.seen("gave up", cell=cell, ms=(time.monotonic() - asked) * 1000)
    writer.close()


def _start(me: Me, cell: int) -> float:
    """Wait for the others; return time.monotonic() of the end."""
    me.history.seen("joined", cell=cell)
    me.ready()
    facts = me.wait()
    assert facts is not None
    return time.monotonic() + float(facts["seconds"])
