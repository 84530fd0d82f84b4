"""A full disk: what is stored can be worked off, and nothing more comes in.

The store fills a small disk until it is refused; then a stranger takes what is left, to
the last byte.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ....store import Claim, Queue, connect
from ....store.errors import FencepostError
from ...checker import check
from ...harness.child_processes import Child, Me
from ...harness.run import Run
from ...harness.scenario import Scenario
from ...harness.waiting import now_and_then
from ...records.history import Recorder, read
from ...workloads.drain import note_final
from ...workloads.noted import claim, enqueue, which
from .. import census
from ..disk.small_disk import Disk, may_mount, small_disk

_LEAST_MB = 2

_BODIES = (0, 300, 3000, 20_000)
# The body of what is done goes; what is smaller leaves as much behind as it frees.
_FREES_BYTES = 3000
_AT_ONCE = (1, 10, 100)
_ENDINGS = ("ack", "complete", "bury", "retry")


def run(run: Run) -> None:
    """Fill and drain so many disks, each of another size."""
    disks, lanes = int(run.size["disks"]), int(run.size["processes"])
    most, body = run.size["most_mb"], int(run.size["least_body"])
    children = [
        run.start(
            f"filler-{lane}",
            _fill_each,
            str(run.folder),
            list(range(lane, disks, lanes)),
            most,
            body,
        )
        for lane in range(min(lanes, disks))
    ]
    total = 0
    for number in range(disks):
        facts = _told(children[number % lanes])
        run.progress((number + 1) / disks, f"{facts['stored']} on {facts['mb']:.1f} MB")
        _judge(run, number, facts)
        total += facts["stored"]
        if run.canary and run.has_findings:
            return
    for child in children:
        child.join()
    kind = "mounted" if facts["real"] else "under a quota"
    run.figure("disks", disks)
    run.figure("stored_messages", total)
    run.says(f"{disks} disks {kind}, {total} messages stored and worked off")


def _told(child: Child) -> dict[str, Any]:
    """Return what it says of a disk, as long as it says now and then that it gets on."""
    while not (facts := child.heard()):
        pass
    return facts


def _judge(run: Run, number: int, facts: dict[str, Any]) -> None:
    where = f"disk {number}, {facts['mb']:.1f} MB, {facts['how']}"
    run.fault("disk filled by the store")
    run.fault("disk filled by a stranger")
    run.check("never-stuck", facts["left"] == 0, f"{where}: {facts['left']} bytes were left")
    for code in facts["refusals"]:
        run.check("typed-errors", code == "store_full", f"{where}: an enqueue ended with {code}")
    run.checked("never-stuck", facts["worked"])
    for error in facts["stuck"]:
        run.broken("never-stuck", f"{where}: {error}")
    if facts["stuck"]:
        return
    if facts["frees"]:
        after = facts["after"]
        run.check("never-stuck", after == "accepted", f"{where}, room again: {after}")
    run.check("never-stuck", facts["ballast"], f"{where}: there is no ballast again")
    run.add(*check(read(run.folder / f"history-{number}")))


def _fill_each(me: Me, work: str, numbers: list[int], most: float, least_body: int) -> None:
    for number in numbers:
        folder = Path(work, f"{number}")
        folder.mkdir(mode=0o700)
        size = round(me.random.uniform(_LEAST_MB, most) * 256) * 4096
        history = Recorder(Path(work, f"history-{number}"), me.name)
        with small_disk(folder, size) as disk:
            facts = _Filling(me, folder, disk, history, least_body).run()
        history.close()
        me.ready(mb=size / 1e6, real=may_mount(), **facts)


class _Filling:
    """One disk, from empty to full and back."""

    def __init__(
        self, me: Me, folder: Path, disk: Disk, history: Recorder, least_body: int
    ) -> None:
        self._random = me.random
        self._gets_on = now_and_then(me.ready)
        self._path = folder / "store.db"
        self._stranger = folder / "stranger"
        self._disk = disk
        self._size = disk.left()
        self._history = history
        self._bytes = me.random.choice([size for size in _BODIES if size >= least_body])
        self._at_once = me.random.choice(_AT_ONCE)
        self._ending = me.random.choice(_ENDINGS)
        self._reopens = me.random.random() < 0.5
        self._keys = 0
        self._refusals: list[str] = []
        self._stuck: list[str] = []

    def run(self) -> dict[str, Any]:
        """Return what came of it."""
        store = connect(self._path)
        queue = store.queue("mail")
        while self._enqueue(queue) == "accepted":
            pass
        stored = self._keys - 1
        self._disk.fill(self._stranger)
        left = self._disk.left()
        self._enqueue(queue)
        if self._reopens:
            store.close()
            store = connect(self._path)
            queue = store.queue("mail")
        facts = {
            "how": f"bodies of {self._bytes}, {self._at_once} at once, {self._ending}",
            "stored": stored,
            "left": left,
            "frees": self._bytes >= _FREES_BYTES and self._ending != "bury",
            "worked": self._work_off(queue),
            "refusals": self._refusals,
            "stuck": self._stuck,
        }
        if self._stuck:
            return facts
        self._stranger.unlink()
        after = self._enqueue(queue)
        self._work_off(queue)
        ample = self._disk.left() >= self._size // 4
        store.engine.upkeep.tick()
        ballast = Path(f"{self._path}-ballast").exists()
        note_final(store, self._history)
        store.close()
        self._history.seen("integrity", says=census.integrity(self._path))
        return {**facts, "after": after, "ballast": ballast or not ample}

    def _enqueue(self, queue: Queue) -> str:
        self._gets_on()
        key = f"{self._keys}"
        self._keys += 1
        try:
            return enqueue(self._history, queue, key, self._random.randbytes(self._bytes))
        except FencepostError as error:
            self._refusals.append(error.code)
            return error.code

    def _work_off(self, queue: Queue) -> int:
        """Claim and end all that is there, trying to store more meanwhile; return how many."""
        worked, claims = 0, []
        while not self._stuck:
            try:
                claims = claim(self._history, queue, limit=self._at_once)
                if not claims:
                    break
                for each in claims:
                    self._end(each)
            except FencepostError as error:
                self._stuck.append(f"{error.operation} after {worked}: {error.code}: {error}")
            worked += len(claims)
            if self._stranger.exists() and self._random.random() < 0.2:
                self._enqueue(queue)
        return worked

    def _end(self, claim: Claim) -> None:
        self._gets_on()
        ending = self._ending
        if ending == "retry" and claim.attempt > 1:
            ending = "ack"
        with self._history.begin(ending, **which(claim)):
            if ending == "ack":
                claim.ack()
            elif ending == "retry":
                claim.retry(delay=0)
            elif ending == "bury":
                claim.bury("no room")
            else:
                with claim.transaction():
                    pass


SCENARIO = Scenario(
    "disk",
    "small disks are filled to the last byte, then all work is finished",
    run,
    sizes={
        "canary": {"processes": 1, "disks": 2, "most_mb": 2.5, "least_body": 3000},
        "ci": {"processes": 2, "disks": 3, "most_mb": 4, "least_body": 300},
        "nightly": {"processes": 2, "disks": 50, "most_mb": 8, "least_body": 0},
    },
    canaries={
        "keeps-no-room": "never-stuck",
    },
    grows=("disks",),
)
