"""Each hot statement is answered from its own index, however many rows there are."""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from fencepost import Store, connect
from fencepost.store.sqlite.operators import counts, listing, operate, routes, routing
from fencepost.store.sqlite.outbox import hosts, outgoing
from fencepost.store.sqlite.pools import register
from fencepost.store.sqlite.queue import (
    claim,
    counters,
    due,
    holding,
    lanes,
    reap,
    retention,
    settle,
    transitions,
)
from fencepost.store.sqlite.queue.arrival import enqueue, redelivery
from fencepost.store.sqlite.queue.joins import apart, back, latest, lost, take, together, windows
from fencepost.store.sqlite.queue.joins import end as end_group
from fencepost.store.sqlite.queue.sets import arrivals
from fencepost.store.sqlite.queue.sets import claim as claim_set
from fencepost.store.sqlite.queue.sets import end as end_set
from fencepost.store.sqlite.queue.sets import enqueue as enqueue_set
from fencepost.store.sqlite.queue.sets import lanes as lanes_set
from fencepost.store.sqlite.rows import kept as kept_rows
from fencepost.store.sqlite.rows import steps as step_rows

from ..clock import FakeClock
from .inside import connection, steps_of

ROWS = 5_000

HOT = {
    "pick": (claim._PICK, ["fp_delivery_fresh", "fp_delivery_ready", "MERGE (UNION ALL)"]),
    "lease": (claim._LEASE, ["INTEGER PRIMARY KEY"]),
    "look for a set": (
        claim_set._HEAD,
        [
            "fp_delivery_until",
            "fp_delivery_due",
            "INDEX fp_delivery_fresh",
            "INDEX fp_delivery_ready",
            "PRIMARY KEY",
        ],
    ),
    "pick a set": (
        claim_set._PICK,
        ["fp_delivery_fresh", "fp_delivery_ready", "MERGE (UNION ALL)", "fp_delivery_message"],
    ),
    "lease any": (claim_set._LEASE.any, ["fp_delivery USING INTEGER PRIMARY KEY"]),
    "lease a set": (claim_set._LEASE.run, ["fp_delivery USING INTEGER PRIMARY KEY"]),
    "ack one": (end_set._ACK.one or "", ["fp_delivery USING INTEGER PRIMARY KEY (rowid=?)"]),
    "ack any": (end_set._ACK.any, ["fp_delivery USING INTEGER PRIMARY KEY"]),
    "ack a set": (end_set._ACK.run, ["fp_delivery USING INTEGER PRIMARY KEY"]),
    "release any": (end_set._RELEASE.any, ["fp_delivery USING INTEGER PRIMARY KEY"]),
    "release a set": (end_set._RELEASE.run, ["fp_delivery USING INTEGER PRIMARY KEY"]),
    "drop the bodies of a set": (end_set._DROP_BODIES.run, ["INTEGER PRIMARY KEY"]),
    "deliver alike": (arrivals._DELIVER_ALIKE, ["fp_body USING INTEGER PRIMARY KEY"]),
    "known keys": (enqueue_set._KNOWN, ["fp_message_key (key=? AND scope=?)"]),
    "lanes with a head": (lanes_set._WITH_HEAD, ["fp_delivery_head (queue=? AND lane=?)"]),
    "lanes with others": (lanes_set._WITH_OTHERS, ["fp_delivery_lane (queue=? AND lane=?)"]),
    "advance lanes": (
        lanes_set._ADVANCE,
        ["fp_delivery_lane (queue=? AND lane=?)", "fp_delivery_head (queue=? AND lane=?)"],
    ),
    "expired alone": (
        retention._DELETE_EXPIRED_ALONE,
        ["fp_delivery_until", "INTEGER PRIMARY KEY"],
    ),
    "message": (claim._MESSAGE, ["INTEGER PRIMARY KEY"]),
    "expired": (reap._EXPIRED, ["fp_delivery_until"]),
    "of a worker": (reap._OF_WORKER, ["fp_delivery_until"]),
    "renew of a worker": (register._RENEW_OF_WORKER, ["fp_delivery_until"]),
    "due": (due._DUE, ["fp_delivery_due"]),
    "return": (reap._RETURN, ["INTEGER PRIMARY KEY"]),
    "find": (enqueue._FIND, ["fp_message_key"]),
    "has head": (lanes.HAS_HEAD, ["fp_delivery_head"]),
    "advance lane": (
        lanes._ADVANCE,
        ["fp_delivery_lane", "fp_delivery_head", "INTEGER PRIMARY KEY"],
    ),
    "end": (transitions._END, ["fp_delivery_message", "INTEGER PRIMARY KEY"]),
    "expired deliveries": (
        retention._DELETE_EXPIRED_DELIVERIES,
        ["fp_message_expiry", "fp_delivery_message", "INTEGER PRIMARY KEY"],
    ),
    "expired messages": (retention._DELETE_EXPIRED, ["fp_message_expiry", "fp_delivery_message"]),
    "expired bodies": (
        retention._DELETE_EXPIRED_BODIES,
        ["fp_message_expiry", "fp_delivery_message", "INTEGER PRIMARY KEY"],
    ),
    "end each": (transitions._END_EACH, ["fp_delivery_message", "INTEGER PRIMARY KEY"]),
    "drop bodies": (transitions._DROP_BODIES, ["fp_delivery_message", "INTEGER PRIMARY KEY"]),
    "forget deliveries": (retention._DELETE_DELIVERIES, ["fp_delivery_message"]),
    "forget message": (retention._DELETE_MESSAGE, ["INTEGER PRIMARY KEY"]),
    "caps": (counters._CAPS, ["PRIMARY KEY"]),
    "move": (counters._MOVE["ready", "leased"], ["PRIMARY KEY"]),
    "ack": (settle._ACK, ["INTEGER PRIMARY KEY"]),
    "renew": (settle._RENEW, ["INTEGER PRIMARY KEY"]),
    "holding or dead": (holding._HOLDING_OR_DEAD, ["INTEGER PRIMARY KEY"]),
    "holding": (holding._HOLDING, ["INTEGER PRIMARY KEY"]),
    "replay": (operate._REPLAY, ["INTEGER PRIMARY KEY"]),
    "what goes along": (take._PICK, ["fp_delivery_lane (queue=? AND lane=? AND id>?)"]),
    "lease what goes along": (take._LEASE, ["fp_delivery USING INTEGER PRIMARY KEY"]),
    "ack a group": (end_group._ACK, ["fp_delivery USING INTEGER PRIMARY KEY"]),
    "a group as it stands": (back._STANDING, ["fp_delivery USING INTEGER PRIMARY KEY"]),
    "halve a group": (back._HALVE, ["fp_delivery USING INTEGER PRIMARY KEY"]),
    "take a group back": (back._TAKE_BACK, ["fp_delivery USING INTEGER PRIMARY KEY"]),
    "take a late group up": (back._RESUME, ["fp_delivery USING INTEGER PRIMARY KEY"]),
    "was a group settled": (back._SETTLED, ["fp_delivery USING INTEGER PRIMARY KEY"]),
    "done together": (together._DONE, ["fp_delivery USING INTEGER PRIMARY KEY"]),
    "cancelled together": (together._CANCELLED, ["fp_delivery USING INTEGER PRIMARY KEY"]),
    "stand aside": (apart._ASIDE, ["fp_delivery USING INTEGER PRIMARY KEY"]),
    "steps of each": (step_rows._FORGET_EACH, ["fp_step USING INTEGER PRIMARY KEY"]),
    "retry the newest": (latest._RETRY, ["fp_delivery USING INTEGER PRIMARY KEY"]),
    "take the newest back": (latest._TAKE_BACK, ["fp_delivery USING INTEGER PRIMARY KEY"]),
    "end a window": (
        windows._FULL,
        ["fp_delivery_lane (queue=? AND lane=?)", "fp_delivery USING INTEGER PRIMARY KEY"],
    ),
    "prolong a window": (windows._PROLONG, ["fp_delivery_head (queue=? AND lane=?)"]),
    "group of a delivery": (lost._OF_GROUP, ["fp_delivery_lane (queue=? AND lane=?)"]),
    "next": (
        counts._NEXT,
        ["fp_delivery_fresh", "fp_delivery_ready", "fp_delivery_due", "fp_delivery_until"],
    ),
    "lease with limits": (claim._LEASE_WITH_LIMITS, ["INTEGER PRIMARY KEY"]),
    "dead of a message": (redelivery._DEAD, ["fp_delivery_message"]),
    "revive": (redelivery._REVIVE, ["INTEGER PRIMARY KEY"]),
    "host": (hosts._FIND, ["PRIMARY KEY"]),
    "where a webhook goes": (
        outgoing._FIND,
        ["fp_body USING INTEGER PRIMARY KEY", "fp_delivery_message"],
    ),
    "oldest kept": (routes._OLDEST, ["fp_unrouted USING PRIMARY KEY (queue=?)"]),
    "list kept": (
        routing._KEPT,
        ["fp_unrouted USING PRIMARY KEY (queue=? AND message_id<?)", "INTEGER PRIMARY KEY"],
    ),
    "take kept": (kept_rows._TAKE, ["fp_unrouted USING PRIMARY KEY (queue=? AND message_id=?)"]),
    "list unrouted": (routing._LIST, ["fp_message_unrouted_age"]),
    "list unrouted of an event": (
        routing._LIST_OF_EVENT,
        ["fp_message_unrouted (source=? AND event=? AND id<?)"],
    ),
}

PARAMETERS = {
    **dict.fromkeys(("now", "until", "due", "limit", "batch", "worker", "id", "fence"), 1),
    **dict.fromkeys(
        ("message", "max_attempts", "retry_for", "max_crashes", "behind", "count", "bytes", "pid"),
        1,
    ),
    **dict.fromkeys(("alone", "most", "room", "head", "newest", "window", "bound"), 1),
    "once": 0,
    "sources": json.dumps(["x"]),
    **dict.fromkeys(
        ("queue", "name", "lane", "scope", "key", "token", "why", "error", "result"), "q1"
    ),
    "queues": json.dumps(["q1", "q2"]),
    **dict.fromkeys(("before", "floor", "since", "due_after"), 1),
    **dict.fromkeys(("state", "source", "event", "was"), "x"),
    "states": json.dumps(["done"]),
    "apart": json.dumps([(1, 1, "x")]),
    **dict.fromkeys(("ids", "messages", "deliveries"), apsw.carray(array("q", [1, 2]))),
    **dict.fromkeys(("lanes", "keys"), apsw.carray(("a", "b"), flags=apsw.SQLITE_CARRAY_TEXT)),
    **dict.fromkeys(("policy", "priority"), 1),
    **dict.fromkeys(("offset", "keep", "first", "last"), 1),
}


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store with many rows in every state."""
    path: Path = tmp_path_factory.mktemp("plans") / "store.db"
    with connect(path, clock=FakeClock(), durability="normal") as store:
        for name in ("q1", "q2", "q3"):
            queue = store.queue(name)
            queue.enqueue_many(
                {
                    "body": b"",
                    "key": f"{n}",
                    "lane": f"lane {n % 9}" if n % 3 else None,
                    "delay": 60 * (n % 5 == 0),
                }
                for n in range(ROWS // 3 + 1)
            )
            claims = queue.claim(limit=600)
            queue.ack_many(claims[:200])
            with store.transaction():
                for claimed in claims[200:300]:
                    claimed.bury("why")
        yield store


# CLAIM-3
@pytest.mark.parametrize("name", HOT)
def test_a_hot_statement_uses_its_index(full: Store, name: str) -> None:
    sql, indexes = HOT[name]

    plan = steps_of(full, sql, PARAMETERS)

    for index in indexes:
        assert any(index in step for step in plan), plan
    for step in plan:
        assert "TEMP B-TREE" not in step, plan
        # The steps of a subquery are looked at too; few are leased.
        few = ("VIRTUAL TABLE", "CONSTANT", "(subquery", "INDEX fp_delivery_until")
        assert not step.startswith("SCAN") or any(each in step for each in few), plan


# FIND-2
@pytest.mark.parametrize(
    ("sql", "index", "sorts"),
    [
        (listing._ALL, "SEARCH d USING INTEGER PRIMARY KEY", False),
        (listing._OF_QUEUE, "fp_delivery_queue (queue=? AND rowid", False),
        (listing._FRESH, "fp_delivery_fresh (queue=? AND rowid", False),
        (listing._APART, "fp_delivery_apart (queue=? AND id", False),
        (listing._ENDED, "fp_delivery_ended (queue=? AND state=? AND id", False),
        (listing._LEASED, "fp_delivery_until", True),
        (listing._OF_KEY, "fp_message_key (key=?)", True),
        (listing._OF_MESSAGE, "fp_delivery_message (message_id=?", True),
    ],
)
def test_a_list_goes_through_its_index_and_sorts_no_more_than_a_few(
    full: Store, sql: str, index: str, sorts: bool
) -> None:
    plan = steps_of(full, sql, PARAMETERS)

    assert any(index in step for step in plan), plan
    assert [step for step in plan if step.startswith("SCAN") and index not in step] == []
    assert any("TEMP B-TREE" in step for step in plan) is sorts, plan


# COUNT-2
@pytest.mark.parametrize("sql", [counts._LEFT, counts._STATS, counts._WAITING])
def test_counts_look_at_no_delivery_that_they_do_not_need(full: Store, sql: str) -> None:
    steps = [step for step in steps_of(full, sql, PARAMETERS) if "fp_delivery" in step]

    for step in steps:
        assert re.search(
            r"USING.* INDEX fp_delivery_(fresh|age|scheduled|sleeping) \(queue=\?", step
        ), steps


# UNROUTED-2
@pytest.mark.parametrize("sql", [routing._COUNTS, routing._TO_ROUTE, routing._ANYTHING])
def test_of_messages_only_those_without_a_route_are_looked_at(full: Store, sql: str) -> None:
    scans = [step for step in steps_of(full, sql, PARAMETERS) if "SCAN fp_message" in step]

    assert len(scans) == 1
    assert re.search("INDEX fp_message_(unrouted|to_route)", scans[0])


def test_the_plans_stay_the_same_once_somebody_has_run_analyze(full: Store) -> None:
    before = {name: steps_of(full, sql, PARAMETERS) for name, (sql, _) in HOT.items()}

    connection(full).execute("analyze")

    assert {name: steps_of(full, sql, PARAMETERS) for name, (sql, _) in HOT.items()} == before
