"""Stores with damaged pages, and every verb of theirs."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random
from types import FrameType

import apsw

from fencepost import Claim, FencepostError, Lease, Queue, Store, connect

PAGE = 4096

# What a sound store may answer too.
_ANSWERS = {
    *("lease_lost", "lease_held", "queue_full", "limit_exceeded", "key_conflict"),
    *("invalid_input", "store_corrupt", "schema_unsupported", "import_failed"),
}


_ENDINGS: dict[str, Callable[[Claim], object]] = {
    "ack": lambda claim: claim.ack({"a": 1}),
    "retry": lambda claim: claim.retry(delay=1, error="e"),
    "release": lambda claim: claim.release(),
    "bury": lambda claim: claim.bury("b"),
    "renew": lambda claim: claim.renew(30),
    "none": lambda claim: None,
}


class Hung(BaseException):
    """A verb took longer than it may."""


def fill(path: Path) -> bytes:
    """Make a store with a row of every kind, in every state; return the file as it once was."""
    with connect(path) as store:
        for name in ("plain", "laned"):
            store.queue(name).enqueue_many({"body": b"x" * 600, "key": f"{n}"} for n in range(20))
        keyed = store.keyed("owner", "names", max_entries=200, ttl=3600)
        for n in range(40):
            keyed.register(f"key-{n}", {"n": [n] * 20}, ttl=60)
            store.once("stripe", f"early-{n}", lease=60)
            store.leases.acquire(f"early-{n}", ttl=60)
    earlier = path.read_bytes()
    with connect(path) as store:
        plain, laned = store.queue("plain", max_rows=10_000), store.queue("laned")
        for n in range(60):
            plain.enqueue(b"x" * 600, key=f"plain-{n}", headers={"n": f"{n}"}, priority=n % 3)
            laned.enqueue(b"y" * 50, key=f"laned-{n}", lane=f"lane-{n % 5}")
        plain.enqueue_many({"body": b"z", "key": f"later-{n}", "delay": 60} for n in range(20))
        claims = plain.claim(limit=30, lease=1)
        for n, claim in enumerate(claims):
            if n % 5 == 0:
                claim.ack({"n": n})
            elif n % 5 == 1:
                claim.bury("hopeless")
            elif n % 5 == 2:
                claim.retry(delay=0.001, error="again")
        for each in store.deliveries(state="ready", limit=6):
            store.cancel(each.id)
        keyed = store.keyed("owner", "names", max_entries=200, ttl=3600)
        for n in range(80):
            keyed.register(f"key-{n}", {"n": [n] * 20}, ttl=0.001 if n % 9 == 0 else 60)
        for n in range(20):
            lease = store.leases.acquire(f"lease-{n}", ttl=60)
            if n % 3 == 0:
                lease.release()
            once = store.once("stripe", f"event-{n}", lease=60)
            if n % 2:
                once.complete({"n": n})
        pool = store.engine.pools.begin(["plain"], 2)
        for _ in range(3):
            store.engine.pools.register(pool)
        with store.transaction() as tx:
            tx.execute("create table mine (a integer primary key, b text)")
            tx.execute("insert into mine values (1, 'one')")
    return earlier


def pages_of(path: Path) -> dict[str, list[int]]:
    """Return which pages each table and index has, numbered from 0."""
    other = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    with contextlib.closing(other):
        found: dict[str, list[int]] = {}
        for name, number in other.execute("select name, pageno from dbstat where path <> ''"):
            found.setdefault(name, []).append(number - 1)
        return found


def damage(data: bytearray, earlier: bytes, random: Random, pages: list[int]) -> str:
    """Damage a page as a disk might, or as a bug of somebody's might; return what was done."""
    at = random.choice(pages) * PAGE
    kind = random.choice(("bits", "bytes", "zero", "swap", "stale", "stale", "garbage"))
    if kind == "bits":
        for _ in range(random.randint(1, 20)):
            data[at + random.randrange(PAGE)] ^= 1 << random.randrange(8)
    elif kind == "bytes":
        start = at + random.randrange(PAGE - 64)
        data[start : start + 64] = random.randbytes(64)
    elif kind == "zero":
        data[at : at + PAGE] = bytes(PAGE)
    elif kind == "garbage":
        data[at + 8 : at + PAGE] = random.randbytes(PAGE - 8)
    elif kind == "stale" and at < len(earlier):
        data[at : at + PAGE] = earlier[at : at + PAGE]
    else:
        other = random.choice(pages) * PAGE
        kept = data[at : at + PAGE]
        data[at : at + PAGE] = data[other : other + PAGE]
        data[other : other + PAGE] = kept
    return f"{kind} at page {at // PAGE}"


def behind_index(path: Path, index: str, sql: str) -> None:
    """Run a statement that an index does not hear of, so that it has what its table has not."""
    with contextlib.closing(apsw.Connection(str(path))) as other:
        other.execute("pragma writable_schema = on")
        (row,) = other.execute("select * from sqlite_schema where name = ?", (index,)).fetchall()
        other.execute("delete from sqlite_schema where name = ?", (index,))
        version = other.pragma("schema_version")
        other.pragma("schema_version", version + 1)
    with contextlib.closing(apsw.Connection(str(path))) as other:
        other.execute(sql)
        other.execute("pragma writable_schema = on")
        other.execute("insert into sqlite_schema values (?, ?, ?, ?, ?)", row)
        other.pragma("schema_version", version + 2)


@contextlib.contextmanager
def bounded(seconds: float) -> Iterator[None]:
    """Raise Hung in a block that takes longer."""

    def end(number: int, frame: FrameType | None) -> None:
        raise Hung(f"not done after {seconds} s")

    was = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, was)


def verbs(store: Store, queue: Queue) -> dict[str, Callable[[], object]]:
    """Return calls that together use every statement of the store's, by name."""
    keyed = store.keyed("owner", "names", max_entries=200, ttl=3600)
    pools, engine = store.engine.pools, store.engine

    def work(end: str) -> None:
        for claim in queue.claim(limit=3, lease=30):
            if end == "transaction":
                with claim.transaction() as tx:
                    tx.execute("select count(*) from mine")
            else:
                _ENDINGS[end](claim)

    def hold() -> None:
        with store.leases.hold("held", ttl=30) as lease, store.transaction(fence=lease):
            pass

    def once() -> None:
        for n in range(20):
            turn = store.once("stripe", f"event-{n}", lease=30)
            if turn.claimed:
                turn.renew(30)
                turn.complete({"n": n}) if n % 4 else turn.release()

    def lease(n: int) -> Lease | None:
        held = store.leases.try_acquire(f"lease-{n}", ttl=30)
        if held is not None:
            held.renew()
            held.release()
        return held

    found: dict[str, Callable[[], object]] = {
        **{end: partial(work, end) for end in (*_ENDINGS, "transaction")},
        "enqueue": lambda: [queue.enqueue(b"x", key=f"plain-{n}") for n in range(0, 70, 3)],
        "enqueue laned": lambda: [
            store.queue("laned").enqueue(b"x", lane=f"lane-{n}") for n in range(6)
        ],
        "enqueue_many": lambda: queue.enqueue_many({"body": b"n"} for _ in range(20)),
        "claim laned": lambda: store.queue("laned").claim(limit=20),
        "stats": store.stats,
        "deliveries": lambda: [
            store.deliveries(state=state, queue=name, limit=1000)
            for state in (None, "ready", "leased", "done", "dead", "cancelled")
            for name in (None, "plain")
        ],
        "delivery": lambda: [store.delivery(n) for n in range(1, 140, 3)],
        "content": lambda: [store.content(n) for n in range(1, 140, 3)],
        "replay": lambda: [store.replay(n) for n in range(1, 140, 4)],
        "cancel": lambda: [store.cancel(n) for n in range(1, 140, 5)],
        "pause": lambda: (store.pause("plain"), store.resume("plain")),
        "caps": lambda: store.queue("plain", max_rows=9_000).claim(),
        "register": lambda: keyed.register_many((f"key-{n}", n) for n in range(0, 90, 7)),
        "register_if_absent": lambda: [keyed.register_if_absent(f"new-{n}", n) for n in range(9)],
        "lookup": lambda: [keyed.lookup(f"key-{n}") for n in range(0, 90, 3)],
        "consume": lambda: [keyed.consume(f"key-{n}") for n in range(0, 90, 9)],
        "delete": lambda: [keyed.delete(f"key-{n}") for n in range(0, 90, 10)],
        "entries": keyed.entries,
        "count": keyed.count,
        "namespaces": lambda: engine.keyed.namespaces(100),
        "quarantined": lambda: engine.keyed.quarantined(100),
        "leases": lambda: [lease(n) for n in range(22)],
        "leases list": lambda: (store.leases.list(), store.leases.get("lease-1")),
        "free": lambda: store.leases.free("lease-4"),
        "hold": hold,
        "once": once,
        "pools": lambda: (pools.pools(), pools.workers(), pools.scale(), pools.events(limit=100)),
        "workers": lambda: [pools.retire(n, "gone", crashed=n == 2) for n in (1, 2, 3)],
        "pool": lambda: pools.end(pools.begin(None, 1)),
        "next": lambda: (
            engine.queue.next_at_ms(["plain"]),
            engine.queue.waiting_since_ms(["plain"]),
        ),
        "anything left": lambda: engine.queue.anything_left(["plain", "laned"]),
        "read": lambda: store.read("select count(*) from mine"),
        "probe": store.probe,
        "integrity": engine.upkeep.integrity,
        "audit": engine.upkeep.audit,
        "tick": engine.upkeep.tick,
        "sweep": store.sweep,
        "clear": keyed.clear,
        "backup": lambda: store.backup(Path(engine.identity.address).with_name("copy.db")),
    }
    return found


def wrong_of(path: Path, random: Random, *, seconds: float = 5.0) -> list[str]:
    """Use a damaged store in every way; return what came that may not come."""
    wrong: list[str] = []

    def try_it(name: str, call: Callable[[], object]) -> object:
        try:
            with bounded(seconds):
                return call()
        except FencepostError as error:
            if error.code not in _ANSWERS or not error.operation or "\n" in str(error):
                wrong.append(f"{name}: {error.code} {error.operation!r} {error}")
        except (Hung, Exception) as error:  # noqa: BLE001 - whatever it is, it is told
            wrong.append(f"{name}: {type(error).__name__}: {error}")
        return None

    store = try_it("connect", lambda: connect(path, create=False))
    if isinstance(store, Store):
        queue = try_it("queue", lambda: store.queue("plain"))
        calls = try_it("keyed", lambda: verbs(store, queue)) if isinstance(queue, Queue) else None
        names = sorted(calls) if isinstance(calls, dict) else []
        random.shuffle(names)
        for name in names:
            try_it(name, calls[name])  # type: ignore[index]
        try_it("close", store.close)
    return wrong
