"""Named leases: many want the same few names, and are stopped and killed while they have them."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence

from ....store import Lease, Store, connect
from ....store.errors import LeaseHeld, LeaseLost
from ...checker import check
from ...harness.child_processes import Child, Me
from ...harness.run import Run
from ...harness.scenario import Scenario
from ...harness.waiting import PATIENCE_SECONDS
from ...records.census import census, integrity
from ...records.history import Call, Recorder, read

TTL_SECONDS = (0.03, 0.06, 0.2)

# An acquire without an answer leaves it open who has the name, so names are new now and then.
_ERA_SECONDS = 1.5
_FAULT_EVERY_SECONDS = (0.1, 0.5)
_STOP_SECONDS = (0.02, 0.6)


def run(run: Run) -> None:
    """Stop, continue and kill at random, then judge the history and what was written."""
    path = str(run.folder / "store.db")
    with connect(path, busy_timeout=PATIENCE_SECONDS) as store:
        prepare(store)
    nemesis = Recorder(run.folder / "history", "nemesis")
    children = [
        run.start(f"{n}.0", _work, path, int(run.size["names"]))
        for n in range(int(run.size["processes"]))
    ]
    for child in children:
        child.heard()
    began, lives = time.monotonic(), 0
    while (gone := time.monotonic() - began) < run.size["seconds"]:
        run.progress(gone / run.size["seconds"], "taking, keeping, losing")
        time.sleep(run.random.uniform(*_FAULT_EVERY_SECONDS))
        place = run.random.randrange(len(children))
        if run.random.random() < run.size["killed"]:
            lives += 1
            children[place] = _replace(run, nemesis, children[place], lives, path)
        else:
            _stop(run, nemesis, children[place])
    for child in children:
        child.enough()
    for child in children:
        child.join()
        code = child.exit_code
        run.check("typed-errors", code == 0, f"{child.name} ended with {code}")
    calls = read(run.folder / "history")
    run.add(*check(calls))
    believed(run, calls)
    rows = _ledger(run, path)
    says = integrity(path)
    run.check("integrity", says == "ok", f"the database is not whole: {says}")
    held = [call.answer["fence"] for call in calls if call.op == "acquire" and call.outcome == "ok"]
    refused = [call for call in calls if call.answer.get("error") == "lease_lost"]
    run.figure("leases", len(held))
    run.figure("rows", rows)
    run.figure("refused", len(refused))
    run.says(f"{len(held)} leases, {rows} rows under them, {len(refused)} calls refused as stale")


def prepare(store: Store) -> None:
    """Make the table that holders write into."""
    with store.transaction() as tx:
        tx.execute("create table ledger (n integer primary key, name text, fence int, who text)")


def _replace(run: Run, nemesis: Recorder, child: Child, life: int, path: str) -> Child:
    nemesis.seen("killed", process=child.name)
    child.kill()
    run.fault("kill -9")
    return run.start(f"{child.name.split('.')[0]}.{life}", _work, path, int(run.size["names"]))


def _stop(run: Run, nemesis: Recorder, child: Child) -> None:
    nemesis.seen("stopped", process=child.name)
    child.stop()
    run.fault("SIGSTOP")
    time.sleep(run.random.uniform(*_STOP_SECONDS))
    child.cont()
    nemesis.seen("continued", process=child.name)


def _work(me: Me, path: str, names: int) -> None:
    with connect(path, busy_timeout=PATIENCE_SECONDS) as store:
        contend(me, store, names)


def contend(me: Me, store: Store, names: int) -> None:
    """Take leases, work under them and lose them, until it is enough."""
    me.ready()
    turn = 0
    while me.going:
        turn += 1
        try:
            _hold(me, store, _acquire(me, store, f"{me.name}-{turn}", names))
        except LeaseHeld:
            time.sleep(me.random.uniform(0.001, 0.03))
        except LeaseLost:
            pass


def _acquire(me: Me, store: Store, owner: str, names: int) -> Lease:
    name = f"{time.monotonic() // _ERA_SECONDS:.0f}-{me.random.randrange(names)}"
    ttl, wait = me.random.choice(TTL_SECONDS), me.random.choice((0, 0, 0.1))
    what = {"name": name, "ttl_ms": round(ttl * 1000), "owner": owner}
    with me.history.begin("acquire", **what) as call:
        lease = store.leases.acquire(name, ttl=ttl, owner=owner, wait=wait)
        call.ok(fence=lease.fence)
    return lease


def _hold(me: Me, store: Store, lease: Lease) -> None:
    """Work under a lease, also when it may be over: the store has to say so."""
    what = {"name": lease.name, "fence": lease.fence}
    for _ in range(me.random.randint(1, 6)):
        ttl = me.random.choice(TTL_SECONDS)
        match me.random.choice(("keep", "fenced", "fenced", "pause")):
            case "keep":
                with me.history.begin("keep", ttl_ms=round(ttl * 1000), **what):
                    lease.renew(ttl)
            case "fenced":
                with (
                    me.history.begin("fenced", ttl_ms=0, **what),
                    store.transaction(fence=lease) as tx,
                ):
                    tx.execute(
                        "insert into ledger (name, fence, who) values (?, ?, ?)",
                        (lease.name, lease.fence, lease.owner),
                    )
            case "pause":
                time.sleep(me.random.uniform(0, 1.3) * ttl)
                with me.history.begin("believe", **what) as call:
                    call.ok(lost=lease.lost)
    if me.random.random() < 0.6:
        with me.history.begin("free", ttl_ms=0, **what):
            lease.release()


def believed(run: Run, calls: Sequence[Call]) -> None:
    """Check that nobody believed in a lease that another had been given already."""
    given = defaultdict(list)
    for call in calls:
        if call.op == "acquire" and call.outcome == "ok" and call.ended is not None:
            given[call.what["name"]].append((call.answer["fence"], call.ended))
    for call in calls:
        if call.op == "believe" and call.outcome == "ok" and not call.answer["lost"]:
            name, fence = call.what["name"], call.what["fence"]
            other = [more for more, ended in given[name] if more > fence and ended < call.began]
            run.check(
                "one-holder",
                not other,
                f"{call.process} believed in lease {name} with fence {fence}, and {other} was out",
            )


def _ledger(run: Run, path: str) -> int:
    """Check that no row was written under a lease after one under a later lease."""
    with census(path) as seen:
        rows = seen.rows("select name, fence, who from ledger order by n")
    last: dict[str, tuple[int, str]] = {}
    for name, fence, who in rows:
        before, writer = last.get(name, (0, ""))
        run.check(
            "stale-refused",
            fence > before or (fence, who) == (before, writer),
            f"{who} wrote under {name} with fence {fence} after {writer} with {before}",
        )
        last[name] = (fence, who)
    return len(rows)


SCENARIO = Scenario(
    "leases",
    "many processes acquire, renew, lose and write under a few names, with kills and pauses",
    run,
    sizes={
        "canary": {"processes": 3, "names": 2, "seconds": 1.5, "killed": 0},
        "ci": {"processes": 6, "names": 4, "seconds": 7, "killed": 0.3},
        "nightly": {"processes": 8, "names": 4, "seconds": 900, "killed": 0.3},
    },
    canaries={
        "lease-taken-live": "one-holder",
        "lost-unnoticed": "one-holder",
        "fences-restart": "fences-rise",
        "lease-outlives": "holder-knows",
        "transaction-unfenced": "stale-refused",
        "renewal-refused-early": "holder-not-refused",
    },
    grows=("seconds",),
)
