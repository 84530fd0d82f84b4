"""A pool whose handlers do as they like with their process, and kills from outside beside it.

They change directories, the environment, signals, limits and streams, close what is not theirs,
leave children behind, exit, abort, hang, kill their group, and open the store with another
SQLite; some of it within `ctx.transaction()`. The store has to be undamaged, nothing lost, no
committed effect there twice, and each line on stderr a JSON object.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

from ....store import connect
from ...harness.child_processes import Me
from ...harness.run import Run
from ...harness.scenario import Scenario
from ...harness.waiting import until
from ...machine.processes import kill
from ...pools.apps import rude
from ...pools.environment import environment
from ...records.census import census, integrity

_LEASE_SECONDS = 5.0
_BATCH = 24


def run(run: Run) -> None:
    """Enqueue for so long, kill now and then, and judge when all is worked off."""
    workers, seconds = int(run.size["workers"]), run.size["seconds"]
    with connect(run.folder / "store.db") as store:
        with store.transaction() as tx:
            tx.execute("create table effects (key text)")
        pool = run.start("pool", _work, run.folder, workers, run.canary)
        until(lambda: "processing queue" in _said(run.folder, "pool.out"), "the pool is up")
        keys: list[str] = []
        ends_at = time.monotonic() + seconds
        while not keys or time.monotonic() < ends_at:
            run.progress(1 - max(0.0, ends_at - time.monotonic()) / seconds, "rude handlers")
            for queue in ("plain", "fenced"):
                items = [
                    {"key": f"{queue}-{len(keys) + number}", "body": _acts(run, queue).encode()}
                    for number in range(_BATCH // 2)
                ]
                store.queue(queue).enqueue_many(items)
                keys += [str(item["key"]) for item in items]
            living = [each.pid for each in store.workers() if each.state != "lost"]
            if living and kill(run.random.choice(living), parent=pool.pid):
                run.fault("worker killed from outside")
            until(lambda: _left(run) < 2 * _BATCH, "most of it is handled")
        give_up_at = time.monotonic() + run.size["patience"]
        while _left(run) and time.monotonic() < give_up_at:
            time.sleep(0.1)
    os.kill(pool.pid, signal.SIGTERM)
    pool.join()
    run.check("ends-in-grace", pool.exit_code == 0, f"the pool exited with {pool.exit_code}")
    _judge(run, keys)


def _acts(run: Run, queue: str) -> str:
    acts = run.random.sample(list(rude.MILD), run.random.randint(1, 6))
    last = run.random.choice([None, None, *rude.RAISING, *rude.FATAL, rude.HANGS])
    if last == rude.HANGS and queue == "fenced":
        last = "aborts"  # it would hold the write lock until its timeout
    for act in (*acts, *([] if last is None else [last])):
        run.fault(act)
    return ",".join([*acts, *([] if last is None else [last])])


def _judge(run: Run, keys: list[str]) -> None:
    with census(run.folder / "store.db") as seen:
        states = {each.key: each.state for each in seen.deliveries()}
        effects = dict(seen.rows("select key, count(*) from effects group by key"))
    handled = set(_said(run.folder, "handled").split())
    for key in keys:
        run.check("nothing-lost", states.get(key) == "done", f"{key} is {states.get(key)}")
        if key.startswith("fenced"):
            run.check("effects-once", effects.get(key, 0) == 1, f"{key}: {effects.get(key, 0)}")
        else:
            run.check("nothing-lost", key in handled, f"{key} was not handled")
    lines = _said(run.folder, "pool.err").splitlines()
    for line in lines:
        run.check("log-is-json", _is_object(line), f"a line of the log: {line[:200]}")
    for name, invariant in (("differs", "process-as-it-was"), ("overlaps", "one-holder")):
        found = _said(run.folder, name).splitlines()
        run.check(invariant, not found, f"{len(found)} times, first {found[:1]}")
    says = integrity(run.folder / "store.db")
    run.check("integrity", says == "ok", says)
    run.figure("messages", len(keys))
    run.figure("log_lines", len(lines))
    run.says(f"{len(keys)} messages of rude handlers, {len(lines)} lines of log")


def _left(run: Run) -> int:
    with census(run.folder / "store.db") as seen:
        return len(seen.deliveries("ready")) + len(seen.deliveries("leased"))


def _said(folder: Path, name: str) -> str:
    path = folder / name
    return path.read_text(errors="replace") if path.exists() else ""


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _work(me: Me, folder: Path, workers: int, canary: str | None) -> None:
    """Become the pool, with stdout and stderr apart."""
    os.chdir(folder)
    for fd, name in ((1, "pool.out"), (2, "pool.err")):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), fd)
    command = [sys.executable, "-m", "fencepost", "work", f"{rude.__name__}:app"]
    command += ["--workers", str(workers), "--lease", str(_LEASE_SECONDS)]
    os.execve(sys.executable, command, environment(_LEASE_SECONDS, canary))


SCENARIO = Scenario(
    "rude",
    "handlers that change and kill what is not theirs",
    run,
    sizes={
        "canary": {"workers": 2, "seconds": 4, "patience": 20},
        "ci": {"workers": 3, "seconds": 5, "patience": 90},
        "nightly": {"workers": 8, "seconds": 600, "patience": 120},
    },
    canaries={
        "children-left": "one-holder",
        "state-not-put-back": "process-as-it-was",
        "stderr-not-wrapped": "log-is-json",
    },
    invariants={
        "process-as-it-was": "each handler finds its process in the same state as the one before",
        "log-is-json": "each line on the stderr of a pool is a JSON object",
    },
    grows=("seconds",),
)
