"""Upgrades: an older store is migrated whole or not at all, a newer one is left as it is.

The newer version is made up. Whoever is to know it plants it in a process of its own.
"""

from __future__ import annotations

import hashlib
import shutil
import signal
from pathlib import Path
from typing import Any

from ....store import connect
from ....store.connect import migrate
from ....store.errors import FencepostError
from ...checker import check
from ...harness.child_processes import Child, Me
from ...harness.run import Run
from ...harness.scenario import Scenario
from ...machine.forked import forked
from ...records.history import Recorder, read
from ...workloads.noted import enqueue
from .. import census, future_schema
from ..disk import killed as deaths

_STEPS = len(future_schema.STEPS)
_KEYS = "select key from fp_message order by id"

# What a newer store was left in, by one who knows it.
_LEFT = ("closed", "crashed", "open")


def run(run: Run) -> None:
    """Migrate with a kill at each write; meet newer stores; migrate from many processes."""
    rounds = int(run.size["rounds"])
    _make(run.folder / "first" / "store.db")
    newer = run.start("newer", _newer, str(run.folder), int(run.size["kills"]), rounds)
    openers = [
        run.start(f"opener-{n}", _open_each, str(run.folder), rounds)
        for n in range(int(run.size["processes"]))
    ]
    killed = 0
    while "done" not in (facts := newer.heard()):
        killed += 1
        run.progress(killed / facts["of"] / 2, "killed while it migrates")
        _judge(run, facts)
        if run.canary and run.has_findings:
            return
    run.fault("killed while it migrates", killed - 1 + facts["done"])
    run.figure("migration_writes", facts["of"])
    refused = _meet_newer(run)
    newer.go()
    for number in range(rounds):
        if run.canary and run.has_findings:
            return
        run.progress(0.5 + number / rounds / 2, f"{len(openers)} migrate at once")
        _migrate_at_once(run, openers, number)
    for child in (newer, *openers):
        child.join()
    run.says(
        f"killed at {killed - 1} of {facts['of']} writes, {refused} calls refused, {rounds} times"
        f" {len(openers)} at once"
    )


def _make(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    with connect(path) as store:
        queue = store.queue("mail")
        for n in range(future_schema.MESSAGES):
            queue.enqueue(b"x" * 1000, key=f"{n}")
        queue.ack_many(queue.claim(limit=future_schema.MESSAGES // 4))


def _copied(work: str, name: str) -> Path:
    folder = Path(work, name)
    folder.mkdir(mode=0o700)
    shutil.copy(Path(work, "first", "store.db"), folder / "store.db")
    return folder / "store.db"


def _judge(run: Run, facts: dict[str, Any]) -> None:
    where = f"killed at operation {facts['at']} of {facts['of']}"
    if "dry_run" in facts:
        where = "after a dry run"
        run.check("left-as-it-was", not facts["dry_run"], f"it changed {facts['dry_run']}")
    run.check("integrity", facts["left"] == "ok", f"{where}: {facts['left']}")
    run.check("all-open", facts["error"] is None, f"{where}, the next: {facts['error']}")
    run.check("integrity", facts["then"] == "ok", f"{where}, then: {facts['then']}")
    run.check("nothing-lost", not facts["lost"], f"{where}: {facts['lost']} are gone")


def _newer(me: Me, work: str, kills: int, rounds: int) -> None:
    """Migrate copies of the first store and be killed; leave others as the next will find them."""
    future_schema.plant()
    keys = census.ask(Path(work, "first", "store.db"), _KEYS)
    operations = deaths.count(_open, _copied(work, "counted"))
    points = range(1, operations + 1)
    for at in (0, *(me.random.sample(points, min(kills, operations)) if kills else points)):
        path = _copied(work, f"killed-{at}")
        facts: dict[str, Any] = {"at": at, "of": operations, "error": None}
        before = fingerprints(path.parent)
        if at:
            deaths.kill_at(at, _open, path)
        else:
            migrate(path, dry_run=True)
            facts["dry_run"] = changed(before, fingerprints(path.parent))
        facts["left"] = future_schema.verdict(path, 0, _STEPS if at else 0)
        try:
            if at % 2:
                connect(path).close()
            else:
                migrate(path, dry_run=False)
        except FencepostError as error:
            facts["error"] = f"{error.code}: {error}"
        facts["then"] = future_schema.verdict(path, _STEPS, _STEPS)
        found = census.ask(path, _KEYS)
        facts["lost"] = [key for (key,) in keys if (key,) not in found]
        me.ready(**facts)
        shutil.rmtree(path.parent)
    for number in range(rounds):
        path = _copied(work, f"{number}")
        if number % 2:
            deaths.kill_at(me.random.choice(points), _open, path)
    for name in _LEFT:
        path = _copied(work, name)
        if name == "crashed":
            assert forked(_crash, path) == -signal.SIGKILL
        elif name == "closed":
            connect(path).close()
    with connect(Path(work, "open", "store.db")) as store:
        store.queue("mail").enqueue(b"hello", key="newer")
        me.ready(done=rounds // 2, of=operations)
        me.wait()


def _open(path: Path) -> None:
    connect(path).close()


def _crash(path: Path) -> None:
    store = connect(path)
    store.queue("mail").enqueue(b"hello", key="newer")
    signal.raise_signal(signal.SIGKILL)


def _meet_newer(run: Run) -> int:
    """Try to open newer stores, of which this process does not know the version."""
    tried = 0
    for name in _LEFT:
        path = run.folder / name / "store.db"
        for what in ("connect", "migrate", "migrate --dry-run"):
            before, tried = fingerprints(path.parent), tried + 1
            code = _refusal(what, path)
            wrong = changed(before, fingerprints(path.parent))
            run.check(
                "left-as-it-was",
                code == "schema_unsupported" and not wrong,
                f"{what} of a newer store ({name}): {code}, and it changed {wrong}",
            )
    return tried


def _refusal(what: str, path: Path) -> str:
    try:
        if what == "connect":
            connect(path).close()
        else:
            migrate(path, dry_run="dry" in what)
    except FencepostError as error:
        return error.code
    return "no error"


def fingerprints(folder: Path) -> dict[str, str]:
    """Return a hash of each file that keeps something, by name.

    A WAL's shared memory and the locks come and go, and an empty WAL is as good as none.
    """
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.is_file() and path.stat().st_size and not path.name.endswith("-shm")
    }


def changed(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Return which files are not as they were."""
    return sorted({name for name, _ in before.items() ^ after.items()})


def _open_each(me: Me, work: str, rounds: int) -> None:
    future_schema.plant()
    for number in range(rounds):
        history = Recorder(Path(work, f"history-{number}"), me.name)
        me.ready()
        me.wait()
        error = None
        try:
            with connect(Path(work, f"{number}", "store.db")) as store:
                enqueue(history, store.queue("mail"), "the same")
        except FencepostError as refused:
            error = f"{refused.code}: {refused}"
        history.close()
        me.ready(error=error)


def _migrate_at_once(run: Run, openers: list[Child], number: int) -> None:
    path = run.folder / f"{number}" / "store.db"
    keys = census.ask(run.folder / "first" / "store.db", _KEYS)
    for opener in openers:
        opener.heard()
    for opener in openers:
        opener.go()
    for opener in openers:
        error = opener.heard()["error"]
        run.check("all-open", error is None, f"{opener.name}: {error}")
    found = future_schema.verdict(path, _STEPS, _STEPS)
    run.check("integrity", found == "ok", f"after {len(openers)} at once: {found}")
    kept = census.ask(path, _KEYS)
    run.check("nothing-lost", kept[: len(keys)] == keys, f"of {keys} there are {kept}")
    wanted = [*keys, ("the same",)]
    run.check("nothing-unexpected", set(kept) <= set(wanted), f"{kept}")
    run.add(*check(read(run.folder / f"history-{number}")))


SCENARIO = Scenario(
    "upgrade",
    "migrations are killed at each write, and started by many processes at the same time",
    run,
    sizes={
        "canary": {"processes": 2, "rounds": 1, "kills": 24},
        "ci": {"processes": 16, "rounds": 2, "kills": 40},
        "nightly": {"processes": 16, "rounds": 20, "kills": 0},
    },
    canaries={
        "schema-in-pieces": "integrity",
        "takes-newer": "left-as-it-was",
        "dry-run-migrates": "left-as-it-was",
        "migration-forgets": "nothing-lost",
    },
    invariants={
        "left-as-it-was": "a refused call or a dry run changes no file",
    },
    grows=("rounds",),
)
