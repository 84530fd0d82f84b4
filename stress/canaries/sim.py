"""Faults in what the simulation shows: transactions, leases, lanes, caps, what is on the disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ...store.engine import Hold
from ...store.sqlite.file import schema
from ...store.sqlite.names import leases as named
from ...store.sqlite.names import once
from ...store.sqlite.queue import claim, counters, enqueue, settle, transitions
from ...store.sqlite.queue import holding as lease
from ...store.sqlite.queue_verbs import SqliteQueue
from ...store.sqlite.session import opening
from ...store.sqlite.session.session import Write
from ...store.types.message import Draft, Receipt
from ..harness.canary import Canary
from .zombie import claim_held

_COLUMNS = transitions.COLUMNS


def _any_holder() -> None:
    claim_held("state = 'leased'")


def _durability_normal() -> None:
    connect = opening.connect

    def connect_normal(path: str, *, durability: str, **options: Any) -> Any:
        return connect(path, durability="normal", **options)

    opening.connect = connect_normal


def _no_cap() -> None:
    def require_room(write: Write, queue: str, bytes: int) -> None:
        pass

    counters.require_room = require_room


def _fences_reused() -> None:
    def next_fences(write: Write, count: int = 1) -> range:
        ((last,),) = write.run(
            "select max(coalesce((select max(fence) from fp_delivery where state = 'leased'), 0),"
            " coalesce((select max(fence) from fp_lease where token is not null), 0))"
        )
        return range(last + 1, last + 1 + count)

    for module in (claim, named, once):
        vars(module)["next_fences"] = next_fences


def _lane_at_a_glance() -> None:
    # What stands behind another one is not asked, only whether that one is claimed as well.
    claim._LEASE = claim._LEASE.replace("and behind = 0", "")
    claim._PICK = f"""
select {_COLUMNS}
from fp_delivery as d
where queue = :queue and state = 'ready' and due_at_ms is null
  and (lane is null or id = (
    select min(id) from fp_delivery as o
    where o.queue = d.queue and o.lane = d.lane and o.state = 'ready'
  ))
order by priority desc, id
limit :limit
"""  # noqa: S608 - a constant


def _effects_apart() -> None:
    @contextmanager
    def completion(self: SqliteQueue, hold: Hold) -> Iterator[Write]:
        with self._session.write("transaction", joins=False, nests=True) as write:
            lease.require(write, hold, "transaction", done=True)
            yield write
        self.ack(hold, None)

    SqliteQueue.completion = completion  # type: ignore[method-assign]


def _looks_before() -> None:
    plain = schema.ddl().replace(
        "create unique index fp_message_key", "create index fp_message_key"
    )
    schema.ddl = lambda: plain
    insert = enqueue.enqueue

    def enqueue_looking_before(self: SqliteQueue, drafts: Sequence[Draft]) -> list[Receipt]:
        known = {}
        for draft in drafts:
            at = {"scope": draft.scope, "key": draft.key, "now": self._session.now_ms()}
            known[draft.key] = bool(self._session.read(enqueue._FIND, at))
        prepared = [enqueue.prepare(draft) for draft in drafts]
        with self._session.write("enqueue", grows=0) as write:
            find = enqueue._FIND
            receipts = []
            for each in prepared:
                if not known[each.draft.key]:
                    enqueue._FIND = find + " and 0"
                try:
                    receipts.append(insert(write, each))
                finally:
                    enqueue._FIND = find
                known[each.draft.key] = True
        return receipts

    SqliteQueue.enqueue = enqueue_looking_before  # type: ignore[method-assign]


def _late_is_lost() -> None:
    def holding(write: Write, hold: Hold, *, done: bool = False) -> transitions.Standing | None:
        standing = lease.holding(write, hold, done=done)
        return None if standing is None or standing.lapsed else standing

    vars(settle)["holding"] = holding


CANARIES = (
    Canary(
        "id-and-state",
        "a claim is held by whoever knows its id, while somebody holds it",
        scenario="sim",
        trips="stale-refused",
        plant=_any_holder,
    ),
    Canary(
        "durability-normal",
        "commits are not synced",
        scenario="sim",
        trips="nothing-lost",
        plant=_durability_normal,
    ),
    Canary(
        "no-cap",
        "an enqueue does not ask whether there is room",
        scenario="sim",
        trips="caps-hold",
        plant=_no_cap,
    ),
    Canary(
        "fences-reused",
        "a fence is one more than the greatest that is held, and no counter is kept",
        scenario="sim",
        trips="fences-rise",
        plant=_fences_reused,
    ),
    Canary(
        "lane-at-a-glance",
        "a claim takes the oldest of a lane that is ready, and asks for no live claim",
        scenario="sim",
        trips="lane-order",
        plant=_lane_at_a_glance,
    ),
    Canary(
        "effects-apart",
        "a handler's writes are committed, and then the ack",
        scenario="sim",
        trips="effects-once",
        plant=_effects_apart,
    ),
    Canary(
        "looks-before",
        "whether a key is known is looked up before the transaction",
        scenario="sim",
        trips="accepted-once",
        plant=_looks_before,
    ),
    Canary(
        "late-is-lost",
        "who is late is refused, though nobody else has begun",
        scenario="sim",
        trips="holder-not-refused",
        plant=_late_is_lost,
    ),
)
