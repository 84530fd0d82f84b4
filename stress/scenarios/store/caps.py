"""Caps under pressure: many processes fill what has a cap while another counts the rows."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from ....store import Store, connect
from ....store.errors import LimitExceeded, QueueFull
from ...checker import check
from ...harness.child_processes import Me
from ...harness.run import Run
from ...harness.scenario import Scenario
from ...harness.waiting import PATIENCE_SECONDS
from ...records.census import census
from ...records.history import read

CAP = 60
OWNER_CAP = 100
BYTES = 10_000

# A snapshot that shows no new height goes into the history at most so often.
_NOTE_SECONDS = 0.1
# Between two snapshots, so that the writers have a processor left.
_PAUSE_SECONDS = 0.001


def run(run: Run) -> None:
    """Fill, empty and count at once; then fill to the brim, and count again."""
    path = str(run.folder / "store.db")
    with connect(path, busy_timeout=PATIENCE_SECONDS) as store:
        _open(store)
    writers = [run.start(f"writer-{n}", _write, path) for n in range(int(run.size["processes"]))]
    reader = run.start("reader", _watch, path)
    for child in (*writers, reader):
        child.heard()
    for child in (*writers, reader):
        child.go()
    end = time.monotonic() + run.size["seconds"]
    while (left := end - time.monotonic()) > 0:
        run.progress(1 - left / run.size["seconds"], "filling, emptying and counting")
        time.sleep(min(left, 0.2))
    for child in (*writers, reader):
        child.enough()
    told = [writer.heard() for writer in writers]
    seen = reader.heard()
    for child in (*writers, reader):
        child.join()
    run.add(*check(read(run.folder / "history")))
    run.checked("caps-hold", seen["snapshots"])
    calls, refused = (sum(each[name] for each in told) for name in ("calls", "refused"))
    _fill(run, path)
    run.figure("snapshots", seen["snapshots"])
    run.figure("calls", calls)
    run.figure("refused", refused)
    run.figure("longest_call_ms", round(max(each["longest_ms"] for each in told)))
    for what, (most, cap) in seen["most"].items():
        run.figure(f"most {what}, cap {cap}", most)
    run.says(f"{seen['snapshots']} snapshots beside {calls} calls, {refused} refused")


def _open(store: Store) -> dict[str, Callable[[str], object]]:
    """Return what adds one to each thing that has a cap, by its name."""
    reject = store.keyed("stress", "reject", max_entries=CAP, overflow="reject")
    evict = store.keyed("stress", "evict", max_entries=CAP, overflow="evict")
    brief = store.keyed("stress", "brief", max_entries=CAP, overflow="reject", ttl=0.05)
    shared = [
        store.keyed("crowd", name, owner_max_entries=OWNER_CAP, overflow="reject")
        for name in ("one", "two")
    ]
    rows = store.queue("rows", max_rows=CAP)
    size = store.queue("bytes", max_bytes=BYTES)
    return {
        "reject": lambda key: reject.register(key, 1),
        "absent": lambda key: reject.register_if_absent(key, 1),
        "evict": lambda key: evict.register(key, 1),
        "brief": lambda key: brief.register(key, 1),
        "one": lambda key: shared[0].register(key, 1),
        "two": lambda key: shared[1].register(key, 1),
        "rows many": lambda key: rows.enqueue_many(
            [{"body": b"x", "key": f"{key} {n}", "keep_for": 0} for n in range(5)]
        ),
        "rows": lambda key: rows.enqueue(b"x", key=key, keep_for=0),
        "bytes": lambda key: size.enqueue(bytes(997), key=key, keep_for=0),
    }


def _write(me: Me, path: str) -> None:
    calls = refused = 0
    longest = 0.0
    with connect(path, busy_timeout=PATIENCE_SECONDS) as store:
        add = list(_open(store).values())
        take = _takers(store)
        me.ready()
        me.wait()
        while me.going:
            calls += 1
            began = time.monotonic()
            try:
                # More comes than goes, so that there is always one thing or another at its cap.
                if me.random.random() < 0.85:
                    me.random.choice(add)(f"{me.name} {calls}")
                else:
                    me.random.choice(take)()
            except (LimitExceeded, QueueFull):
                refused += 1
            longest = max(longest, time.monotonic() - began)
    me.ready(calls=calls, refused=refused, longest_ms=longest * 1000)


def _takers(store: Store) -> list[Callable[[], object]]:
    """Return what takes some away, or moves it to where it still counts."""
    spaces = [store.keyed("stress", "reject"), store.keyed("crowd", "one")]
    spaces.append(store.keyed("crowd", "two"))
    queues = [store.queue("rows"), store.queue("bytes")]

    def delete() -> None:
        for space in spaces:
            for entry in space.entries()[:1]:
                space.delete(entry.key)

    def work() -> None:
        for queue in queues:
            claims = queue.claim(limit=6, lease=30)
            for claim in claims[:1]:
                claim.retry(delay=0)
            for claim in claims[1:2]:
                claim.release()
            queue.ack_many(claims[2:])

    return [delete, work]


def _watch(me: Me, path: str) -> None:
    most: dict[str, tuple[int, int]] = {}
    snapshots, noted = 0, 0.0
    me.ready()
    me.wait()
    with census(path) as seen:
        while me.going:
            snapshots += 1
            now = time.monotonic()
            for what, cap, rows in seen.capped():
                higher = rows > most.get(what, (0, cap))[0]
                if higher:
                    most[what] = (rows, cap)
                if higher or rows > cap or now - noted > _NOTE_SECONDS:
                    me.history.seen("snapshot", of=what, rows=rows, cap=cap)
            if now - noted > _NOTE_SECONDS:
                noted = now
            time.sleep(_PAUSE_SECONDS)
    me.ready(snapshots=snapshots, most=most)


def _fill(run: Run, path: str) -> None:
    """Fill all to the brim: who is refused below a cap has been counted wrongly."""
    with connect(path, busy_timeout=PATIENCE_SECONDS) as store:
        for name, add in _open(store).items():
            if name == "brief":  # its entries end meanwhile
                continue
            with suppress(LimitExceeded, QueueFull):
                for n in range(OWNER_CAP):
                    add(f"{name} {n}")
    with census(path) as seen:
        for what, cap, rows in seen.capped():
            if what == "entries of stress/brief":
                continue
            least = cap - 997 if what.startswith("bytes") else cap
            run.check("integrity", rows >= least, f"{what}: refused at {rows}, the cap is {cap}")
            run.check("caps-hold", rows <= cap, f"{what}: {rows} when full, the cap is {cap}")
        wrong = seen.miscounted()
        run.check("integrity", not wrong, "; ".join(wrong))


SCENARIO = Scenario(
    "caps",
    "many processes fill namespaces, owners and queues to their caps; no count exceeds a cap",
    run,
    sizes={
        "canary": {"processes": 4, "seconds": 1.5},
        "ci": {"processes": 8, "seconds": 10},
        "nightly": {"processes": 8, "seconds": 600},
    },
    canaries={
        "cap-checked-before": "caps-hold",
        "no-eviction": "caps-hold",
        "eviction-uncounted": "integrity",
    },
    grows=("seconds",),
)
