"""What keyed state costs: each statement its index, the same work at any size."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import pytest

from fencepost import Keyed, Store, connect
from fencepost.store.sqlite.keyed import entries, move, namespaces, quarantine

from ..clock import FakeClock
from .inside import connection, steps_of

AGE, KEY, EXPIRY = "fp_entry_age", "fp_entry_key", "fp_entry_expiry"
ROW, NAME = "INTEGER PRIMARY KEY", "fp_namespace_name"

HOT = {
    "namespace": (namespaces._FIND, [NAME]),
    "list namespaces": (namespaces._LIST, [NAME]),
    "count": (namespaces._COUNT, [ROW]),
    "count owner": (namespaces._COUNT_OWNER, ["PRIMARY KEY"]),
    "set": (namespaces._SET, [ROW]),
    "prune": (namespaces._PRUNE, [ROW, EXPIRY]),
    "expired": (namespaces._EXPIRED, [EXPIRY]),
    "expired of owner": (namespaces._EXPIRED_OF_OWNER, [NAME, EXPIRY]),
    "delete": (namespaces._DELETE, [ROW]),
    "existing": (entries._EXISTING, [KEY]),
    "renew": (entries._RENEW, [ROW]),
    "evict": (entries._EVICT, [ROW, AGE]),
    "remove": (entries._REMOVE, [KEY]),
    "oldest": (entries._OLDEST, [NAME, AGE]),
    "upwards": (entries._UPWARDS, [NAME, KEY]),
    "downwards": (entries._DOWNWARDS, [NAME, KEY]),
    "keys": (entries._KEYS, [NAME, KEY]),
    "live": (entries._LIVE, [NAME, EXPIRY]),
    "clear": (entries._CLEAR, [ROW, "fp_entry_"]),
    "expire all": (move._EXPIRE_ALL, [EXPIRY]),
    "any with ttl": (move._ANY_WITH_TTL, [EXPIRY]),
    "expired here": (move._EXPIRED_HERE, [KEY]),
    "known here": (move._KNOWN_HERE, ["fp_entry_"]),
    "move": (move._MOVE, ["fp_entry_"]),
    "set aside": (quarantine._DELETE, [ROW]),
    "quarantined": (quarantine._LIST, []),
}

PARAMETERS = {
    **dict.fromkeys(("namespace", "source", "id", "now", "limit", "last", "change"), 1),
    **dict.fromkeys(("expires", "max_entries", "ttl_ms"), 1),
    **dict.fromkeys(("owner", "name", "key", "start", "end", "value", "overflow"), "a"),
    **dict.fromkeys(("keys", "ids"), "[]"),
}


def fill(store: Store, name: str, count: int, **options: int) -> Keyed:
    keyed = store.keyed("a", name, **options)  # type: ignore[arg-type]
    keyed.register_many((f"{n:06}", n) for n in range(count // 2))
    keyed.register_many(((f"{n:06}", n) for n in range(count // 2, count)), ttl=10**6)
    return keyed


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store with a small and a large namespace, each with and without a cap."""
    path: Path = tmp_path_factory.mktemp("keyed") / "store.db"
    with connect(path, clock=FakeClock(), durability="normal") as store:
        for count in (100, 20_000):
            fill(store, f"open-{count}", count)
            fill(store, f"full-{count}", count, max_entries=count)
        with store.transaction():
            for n in range(500):
                store.keyed(f"owner-{n // 5}", f"{n}").register("k", n)
        yield store


@pytest.mark.parametrize("name", HOT)
def test_a_statement_of_keyed_state_uses_its_index(full: Store, name: str) -> None:
    sql, indexes = HOT[name]

    plan = steps_of(full, sql, PARAMETERS)

    for index in indexes:
        assert any(index in step for step in plan), plan
    for step in plan:
        assert "TEMP B-TREE" not in step, plan
        assert not re.match("SCAN (e|fp_entry)", step), plan


def test_the_plans_stay_the_same_once_somebody_has_run_analyze(full: Store) -> None:
    before = {name: steps_of(full, sql, PARAMETERS) for name, (sql, _) in HOT.items()}

    connection(full).execute("analyze")
    try:
        assert {name: steps_of(full, sql, PARAMETERS) for name, (sql, _) in HOT.items()} == before
    finally:
        connection(full).execute("drop table sqlite_stat1")


Verb = Callable[[Keyed], object]
VERBS: dict[str, Verb] = {
    "register": lambda keyed: keyed.register("000000x", 1),
    "register again": lambda keyed: keyed.register("000007", 1),
    "register_if_absent": lambda keyed: keyed.register_if_absent("000001x", 1),
    "a claim that is late": lambda keyed: keyed.register_if_absent("000008", 1),
    "lookup": lambda keyed: keyed.lookup("000009"),
    "consume": lambda keyed: keyed.consume("000009"),
    "delete": lambda keyed: keyed.delete("000010"),
    "count": lambda keyed: keyed.count(),
    "capacity": lambda keyed: keyed.capacity(),
}


# KV-1, KV-27, KV-35
@pytest.mark.parametrize("kind", ["open", "full"])
@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_a_verb_does_the_same_work_at_any_size(full: Store, verb: Verb, kind: str) -> None:
    small, large = (
        _work(full, verb, full.keyed("a", f"{kind}-{count}")) for count in (100, 20_000)
    )

    assert [step[0] for step in large] == [step[0] for step in small]
    # Machine steps do not count the levels of a tree, so they are the same.
    for (sql, less, _), (_, more, scanned) in zip(small, large, strict=True):
        assert more <= less + 2, sql
        assert scanned <= 2, sql


def _work(store: Store, verb: Verb, keyed: Keyed) -> list[tuple[str, int, int]]:
    """Return the statements that a verb runs, the machine steps and rows scanned by each."""
    work: list[tuple[str, int, int]] = []

    def note(event: dict[str, object]) -> None:
        status = event["stmt_status"]
        assert isinstance(status, dict)
        steps, scanned = (status[f"SQLITE_STMTSTATUS_{n}"] for n in ("VM_STEP", "FULLSCAN_STEP"))
        work.append((" ".join(str(event["sql"]).split()), steps, scanned))

    verb(keyed)  # so that every statement is prepared
    keyed.delete("000000x")
    keyed.delete("000001x")
    if keyed.capacity().max_entries is not None:  # type: ignore[union-attr]
        keyed.register("filler", 1)
    connection(store).trace_v2(apsw.SQLITE_TRACE_PROFILE, note)
    try:
        verb(keyed)
    finally:
        connection(store).trace_v2(0, None)
    return work
