"""Faults in how keys are told apart and claims are given."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from ...store.engine import Hold, Leased
from ...store.engine.keyed import Item, Space
from ...store.sqlite.keyed import entries
from ...store.sqlite.queue import claim, settle
from ...store.sqlite.queue_verbs import SqliteQueue
from ...store.sqlite.session.session import Write
from ...store.types.message import Draft, Receipt
from ..harness.canary import Canary


def _dedupe_before() -> None:
    was = SqliteQueue.enqueue

    def enqueue(self: SqliteQueue, drafts: Sequence[Draft]) -> list[Receipt]:
        return [one(self, draft) for draft in drafts]

    def one(self: SqliteQueue, draft: Draft) -> Receipt:
        known = "select id from fp_message where key = :key"
        for (id,) in self._session.read(known, {"key": draft.key}):
            return Receipt("duplicate", id, None, None)
        time.sleep(0.005)  # so that somebody comes in between on a slow machine too
        # So that the unique index does not see it.
        unseen = replace(draft, scope=f"{draft.scope} {secrets.token_hex(4)}")
        return was(self, [unseen])[0]

    SqliteQueue.enqueue = enqueue  # type: ignore[method-assign]


def _overwrites() -> None:
    was = entries.put

    def put(
        write: Write, space: Space, item: Item, operation: str, *, replace: bool = True
    ) -> bool:
        return was(write, space, item, operation)

    entries.put = put


def _lanes_by_snapshot() -> None:
    # What another has of the lane in hand is not seen.
    first = (
        "and (lane is null or id = (select min(id) from fp_delivery as other where"
        " other.queue = :queue and other.lane = fp_delivery.lane and other.state = 'ready'))"
    )
    claim._PICK = claim._PICK.replace("and behind = 0", first)
    claim._LEASE = claim._LEASE.replace("and behind = 0", "")


def _effect_before_ack() -> None:
    @contextmanager
    def completion(self: SqliteQueue, hold: Hold) -> Iterator[Write]:
        with self._session.write("transaction", joins=False, nests=True) as write:
            yield write
        with self._session.write("ack") as write:
            settle.ack(write, hold, None)

    SqliteQueue.completion = completion  # type: ignore[method-assign]


def _takes_another() -> None:
    was = SqliteQueue.claim

    def claim(
        self: SqliteQueue, queues: Sequence[str], *, limit: int, **options: Any
    ) -> tuple[list[Leased], list[Hold]]:
        leases, refused = was(self, queues, limit=limit + 1, **options)
        if len(leases) > limit:
            self.ack(leases.pop().hold, None)
        return leases, refused

    SqliteQueue.claim = claim  # type: ignore[method-assign]


CANARIES = (
    Canary(
        "dedupe-before",
        "a key is looked up before the transaction that stores it",
        scenario="claims",
        trips="accepted-once",
        plant=_dedupe_before,
    ),
    Canary(
        "register-overwrites",
        "register_if_absent overwrites what is there",
        scenario="claims",
        trips="won-once",
        plant=_overwrites,
    ),
    Canary(
        "lanes-by-snapshot",
        "a claim takes the oldest that is ready of a lane, whoever has an older one in hand",
        scenario="claims",
        trips="lane-order",
        plant=_lanes_by_snapshot,
    ),
    Canary(
        "effect-before-ack",
        "a handler's writes are committed first, and the ack in a transaction of its own",
        scenario="claims",
        trips="effects-once",
        plant=_effect_before_ack,
    ),
    Canary(
        "done-by-nobody",
        "a claim takes one more than it gives, and marks it done",
        scenario="claims",
        trips="nothing-lost",
        plant=_takes_another,
    ),
)
