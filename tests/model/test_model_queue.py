"""Queues: every public verb, by two openings, at any time."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)
from msgspec import structs

from fencepost import Claim, InvalidInput, Receipt, Store
from fencepost.store.engine import Hold, Leased
from fencepost.store.engine.ports.clock import Term
from fencepost.store.reference.memory import Numbers
from fencepost.store.reference.rows import LIVE
from fencepost.store.reference.tables import Tables
from fencepost.store.types.delivery import Delivery, Outcome
from fencepost.store.types.messages.draft import Address, Draft
from fencepost.store.types.messages.limits import Limits

from ..kits import Effects
from ..sqlite.inside import ask
from .machine import OPENINGS, Pair, RolledBack, StoreMachine, profile

QUEUES = ["mail", "push"]
DAYS = 3 * 86_400

Given = dict[str, Any]

# Little is different, so that much meets.
queues = st.sampled_from(["mail", "mail", "mail", "push"])
drafts = st.fixed_dictionaries(
    {
        "body": st.sampled_from([b"", b"one", b"two", b"z" * 600]),
        "key": st.sampled_from([None, "k1", "k2", "k3"]),
        "headers": st.sampled_from([{}, {"x-kind": "test"}]),
        "lane": st.sampled_from(["east", "east", None, "west"]),
        "delay": st.sampled_from([0, 0, 5, 10]),
        "priority": st.integers(-1, 1),
        "keep_for": st.sampled_from([0, 5, 20]),
        "lane_policy": st.sampled_from(["strict", "skip", "park"]),
        "max_attempts": st.sampled_from([1, 2, None]),
        "retry_for": st.sampled_from([DAYS, 15, 60]),
    }
)
leases = st.sampled_from([0.001, 5, 10])
results = st.sampled_from([None, 1, {"done": [True, None]}])
picks = st.lists(st.integers(1, 12), min_size=1, max_size=3)


class Fences(Numbers):
    """The fences that SQLite has given out; which they are, as long as they rise, is its own."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._given: dict[int, str] = {}

    def fence(self, tables: Tables, what: str) -> int:
        sql = f"select fence from fp_delivery where id = {what.removeprefix('delivery ')}"  # noqa: S608
        ((fence,),) = ask(self._path, sql)
        assert isinstance(fence, int)
        assert self._given.setdefault(fence, what) == what
        assert fence > tables.last.get(what, 0)
        tables.last[what] = fence
        return fence


class QueueMachine(StoreMachine):
    """Claims stay usable for ever: late, twice, by the other opening and after a reopening."""

    claims = Bundle("claims")

    @initialize(batch=st.lists(st.tuples(queues, drafts), max_size=5))
    def begin(self, batch: list[tuple[str, Given]]) -> None:
        self.memory.numbers = Fences(self.path)
        self.effects = Pair(
            Effects(self.stores[0], has_sql=True), Effects(self.plain[0], has_sql=False)
        )
        for name, draft in batch:
            self.enqueue(0, name, draft)

    # letting in

    @rule(which=OPENINGS, name=queues, draft=drafts)
    def enqueue(self, which: int, name: str, draft: Given) -> None:
        self.same(which, lambda store: store.queue(name).enqueue(**draft))

    @rule(which=OPENINGS, name=queues, batch=st.lists(drafts, min_size=2, max_size=4))
    def enqueue_many(self, which: int, name: str, batch: list[Given]) -> None:
        self.same(which, lambda store: store.queue(name).enqueue_many(batch))

    @rule(
        which=OPENINGS,
        batch=st.lists(st.tuples(queues, drafts), min_size=1, max_size=3),
        commits=st.booleans(),
    )
    def enqueue_with_rows_of_ones_own(
        self, which: int, batch: list[tuple[str, Given]], commits: bool
    ) -> None:
        def together(store: Store) -> list[Receipt]:
            with store.transaction() as tx:
                self.effects.of(store).on(store).write(tx, 0)
                with pytest.raises(InvalidInput):
                    store.queue("mail").claim()
                receipts = [store.queue(name).enqueue(**draft) for name, draft in batch]
                if not commits:
                    raise RolledBack
                return receipts

        self.same(which, together)

    @rule(
        which=OPENINGS,
        name=queues,
        caps=st.fixed_dictionaries(
            {},
            optional={
                "max_rows": st.sampled_from([None, 1, 2, 4]),
                "max_bytes": st.sampled_from([None, 3, 6, 700]),
                "max_leased": st.sampled_from([None, 1, 2, 4]),
                "keep_body_for": st.sampled_from([0, 5, 30]),
            },
        ),
    )
    def change_caps(self, which: int, name: str, caps: dict[str, Any]) -> None:
        self.both(which, lambda store: store.queue(name, **caps))

    @rule(which=OPENINGS, name=queues, pauses=st.booleans())
    def pause(self, which: int, name: str, pauses: bool) -> None:
        self.same(which, lambda store: store.pause(name) if pauses else store.resume(name))

    @rule(which=OPENINGS, name=queues, most=st.sampled_from([None, None, 1, 3]))
    def limit(self, which: int, name: str, most: int | None) -> None:
        self.same(which, lambda store: store.limit(name, most))

    # claiming

    @rule(target=claims, which=OPENINGS, name=queues, limit=st.integers(1, 3), lease=leases)
    def claim(self, which: int, name: str, limit: int, lease: float) -> MultipleResults[Any]:
        return self._claimed(
            self.both(which, lambda store: store.queue(name).claim(limit=limit, lease=lease))
        )

    @rule(target=claims, which=OPENINGS, off=st.sampled_from([-1, 0, 0, 1]))
    def claim_as_a_lease_ends(self, which: int, off: int) -> MultipleResults[Any]:
        ends = [row.until_ms for row in self.tables.deliveries.values() if row.until_ms]
        ahead = [end for end in ends if end + off > self.now]
        if not ahead:
            return multiple()
        self.clock.advance((min(ahead) + off - self.now) / 1000)
        return self.claim(which, "mail", 3, 5)

    @rule(
        target=claims,
        which=OPENINGS,
        names=st.permutations(QUEUES),
        limit=st.integers(1, 3),
        lease=st.sampled_from([1, 5_000, 10_000]),
        acks=st.lists(st.tuples(claims, results), max_size=2),
        limits=st.sampled_from([None, (1, DAYS * 1000), (3, 8_000), (None, 15_000)]),
    )
    def work(
        self,
        which: int,
        names: list[str],
        limit: int,
        lease: int,
        acks: list[tuple[Pair, Any]],
        limits: tuple[int | None, int] | None,
    ) -> MultipleResults[Any]:
        """What a worker does: ack, and claim of several queues with its handlers' limits."""
        lost: list[list[int]] = []

        def worked(store: Store) -> list[Claim]:
            leased, refused = store.engine.queue.claim(
                names,
                limit=limit,
                lease_ms=lease,
                limits=None if limits is None else {names[0]: Limits(*limits)},
                acks=[(_counting(pair.of(store).hold), _json(result)) for pair, result in acks],
            )
            lost.append([hold.fence for hold in refused])
            return [Claim(store.engine, one) for one in leased]

        claims = self.both(which, worked)
        assert lost[0] == lost[1]
        return self._claimed(claims)

    # ending a claim

    @rule(which=OPENINGS, claim=claims, result=results)
    def ack(self, which: int, claim: Pair, result: Any) -> None:
        self._end(which, claim, lambda one: one.ack(result))

    @rule(which=OPENINGS, some=st.lists(claims, min_size=1, max_size=4))
    def ack_many(self, which: int, some: list[Pair]) -> None:
        def ack(store: Store) -> list[int]:
            refused = store.queue("mail").ack_many(_on(store, pair) for pair in some)
            return [one.fence for one in refused]

        self.same(which, ack)

    @rule(
        which=OPENINGS,
        claim=claims,
        delay=st.sampled_from([0, 5, 10]),
        error=st.sampled_from([None, "no"]),
    )
    def retry(self, which: int, claim: Pair, delay: float, error: str | None) -> None:
        self._end(which, claim, lambda one: one.retry(delay, error))

    @rule(which=OPENINGS, claim=claims)
    def release(self, which: int, claim: Pair) -> None:
        self._end(which, claim, lambda one: one.release())

    @rule(which=OPENINGS, claim=claims)
    def bury(self, which: int, claim: Pair) -> None:
        self._end(which, claim, lambda one: one.bury("buried"))

    @rule(which=OPENINGS, claim=claims, lease=leases)
    def renew(self, which: int, claim: Pair, lease: float) -> None:
        def renewed(one: Claim) -> float:
            one.renew(lease)
            return one.expires_at

        self._end(which, claim, renewed)

    @rule(which=OPENINGS, claim=claims, commits=st.booleans(), late=st.sampled_from([0, 0, 20]))
    def complete(self, which: int, claim: Pair, commits: bool, late: int) -> None:
        """The lease's end does not matter here: nobody can claim meanwhile."""

        def completed(store: Store) -> None:
            one = _on(store, claim)
            with one.transaction() as tx:
                self.effects.of(store).on(store).write(tx, one.fence)
                self.clock.advance(late)
                if not commits:
                    raise RolledBack

        self.same(which, completed)

    @rule(
        target=claims,
        which=OPENINGS,
        name=queues,
        ends=st.lists(st.integers(0, 4), min_size=1, max_size=3),
    )
    def claim_and_end(self, which: int, name: str, ends: list[int]) -> MultipleResults[Any]:
        """End a claim that is new, and once more by a worker that was not told."""
        taken = self.claim(which, name, 1, 5)
        for pair in taken.values:
            for end in ends:
                self._end(which, pair, _ENDS[end])
        return taken

    @rule(claim=consumes(claims))
    def forget(self, claim: Pair) -> None:
        """A worker that never comes back."""

    @rule(which=OPENINGS, back=picks, other=st.booleans())
    def deliver_again(self, which: int, back: list[int], other: bool) -> None:
        """What a receiver does with a message that its sender delivers once more."""
        for id in self._picked(back):
            message = self.tables.messages[self.tables.deliveries[id].message]
            if message.key is None or message.body is None:
                continue
            name = self.tables.deliveries[id].queue

            def again(store: Store, key: str, body: bytes, name: str) -> list[Receipt]:
                queue = store.queue(name)
                draft = queue._draft(body, key=key)
                given = structs.replace(draft, redelivery="revive", source="s" if other else None)
                return store.engine.queue.enqueue([given])

            key, body = message.key, message.body
            self.same(which, lambda s, k=key, b=body, n=name: again(s, k, b, n))  # type: ignore[misc]

    # routes

    @rule(
        which=OPENINGS,
        key=st.sampled_from([None, "s1", "s2", "s3"]),
        to=st.sampled_from([["mail"], ["push"], ["mail", "push"], []]),
        lane=st.sampled_from(["east", None]),
    )
    def receive(self, which: int, key: str | None, to: list[str], lane: str | None) -> None:
        addresses = [Address(name, lane=lane) for name in to]
        given = Draft("s", "s", key, "e", {}, b"one", addresses, 5_000, 0, "revive")
        self.same(which, lambda store: store.engine.queue.enqueue([given]))

    @rule(which=OPENINGS, name=queues, off=st.booleans())
    def turn_a_route(self, which: int, name: str, off: bool) -> None:
        self.same(which, lambda store: store.route_off(name) if off else store.route_on(name))

    @rule(which=OPENINGS, name=queues, limit=st.integers(1, 3), matches=st.sampled_from([1, 1, 0]))
    def drain(self, which: int, name: str, limit: int, matches: int) -> None:
        to = Address(name, lane="east") if matches else None

        def drained(store: Store) -> object:
            routes = store.engine.operators.routes
            found = routes.kept(name, ["s"], limit)
            return [each.id for each in found], routes.drain(name, [(each, to) for each in found])

        self.same(which, drained)

    @rule(which=OPENINGS, name=queues, most=st.integers(1, 2))
    def discard(self, which: int, name: str, most: int) -> None:
        self.same(which, lambda store: store.engine.operators.routes.discard(name, most))

    # operators

    @rule(which=OPENINGS, back=picks)
    def replay(self, which: int, back: list[int]) -> None:
        self._operate(which, back, lambda store, ids: store.replay_many(ids))

    @rule(which=OPENINGS, back=picks)
    def cancel(self, which: int, back: list[int]) -> None:
        self._operate(which, back, lambda store, ids: store.cancel_many(ids))

    @rule(which=OPENINGS, back=picks, name=st.integers(0, 1))
    def move(self, which: int, back: list[int], name: int) -> None:
        back = sorted(set(back), reverse=True)
        self._operate(which, back, lambda store, ids: store.move_many(ids, QUEUES[name]))

    @rule(which=OPENINGS)
    def sweep(self, which: int) -> None:
        self.same(which, lambda store: store.sweep())
        keys = {row.key for row in self.tables.messages.values()} - {None}
        assert {key for (key,) in ask(self.path, _KEYS)} == keys

    @rule(which=OPENINGS, back=picks)
    def look(self, which: int, back: list[int]) -> None:
        for id in [*self._picked(back), 10**9]:
            self.same(which, lambda store, id=id: store.content(id))  # type: ignore[misc]

    # after each step

    @invariant()
    def all_that_can_be_seen_is_the_same(self) -> None:
        self.check()
        self.same(0, lambda store: store.stats())
        self.same(1, lambda store: store.stats())
        self.same(1, lambda store: store.counters())
        self.same(0, lambda store: store.routes_off())
        self.same(0, lambda store: store.unrouted())
        which = self.now % 2
        listed = self.same(which, lambda store: store.deliveries(limit=1000), self._listed)
        assert listed is not None
        live = {
            (row.queue, row.lane, row.fence)
            for row in self.tables.deliveries.values()
            if row.state == "leased" and row.lane
        }
        lanes = {(queue, lane) for queue, lane, _ in live}
        assert len(live) == len(lanes), "two claims of one lane"
        self.same(0, lambda store: self.effects.of(store).on(store).seen())

    @invariant()
    def a_worker_is_woken_in_time(self) -> None:
        for name in QUEUES:
            for ask_of in (
                lambda store, name=name: store.engine.queue.anything_left([name]),
                lambda store, name=name: store.engine.queue.next_at_ms([name]),
                lambda store, name=name: store.engine.queue.waiting_since_ms([name]),
            ):
                self.same(0, ask_of)

    # helpers

    def moments(self) -> list[int]:
        rows, messages = self.tables.deliveries.values(), self.tables.messages.values()
        at = [moment for row in rows for moment in (row.due_ms, row.until_ms)]
        at += [moment for row in messages for moment in (row.expires_ms, row.body_until_ms)]
        ages = [row.tried_since_ms + row.limits.retry_for_ms for row in rows if row.attempt]
        return [moment for moment in at if moment is not None] + ages

    def newest(self) -> int:
        return max((row.received_ms for row in self.tables.messages.values()), default=0)

    def _claimed(self, claims: tuple[Any, Any]) -> MultipleResults[Any]:
        answer, reference = claims
        assert [_shown(one) for one in answer] == [_shown(one) for one in reference]
        return multiple(*map(Pair, answer, reference))

    def _end(self, which: int, claim: Pair, end: Callable[[Claim], object]) -> None:
        self.same(which, lambda store: end(_on(store, claim)))

    def _operate(
        self, which: int, back: list[int], verb: Callable[[Store, list[int]], list[Outcome]]
    ) -> None:
        ids = self._picked(back)
        if ids:  # without any it would still take back what has expired
            self.same(which, lambda store: verb(store, [*ids, 10**9]))

    def _picked(self, back: Sequence[int]) -> list[int]:
        ids = sorted(self.tables.deliveries)
        return [ids[-n] for n in back if n <= len(ids)]

    def _listed(self, rows: list[Delivery]) -> list[Delivery]:
        """Leave out a time that has come, and is of no account once it has."""
        return [
            replace(row, due_at=None)
            if row.state not in LIVE or (row.due_at or 0) * 1000 <= self.now
            else row
            for row in rows
        ]


_ENDS: tuple[Callable[[Claim], object], ...] = (
    lambda claim: claim.ack(1),
    lambda claim: claim.retry(0, "no"),
    lambda claim: claim.retry(5),
    lambda claim: claim.release(),
    lambda claim: claim.bury("buried"),
)

_KEYS = "select key from fp_message where key is not null"


def _counting(hold: Hold) -> Hold:
    return structs.replace(hold, counts={"acked": 1, f"of {hold.id % 3}": 2})


def _on(store: Store, pair: Pair) -> Claim:
    """Return a claim for another opening to use, or for one that is new."""
    claim = pair.of(store)
    term = Term(round(claim.expires_at * 1000), 0)
    leased = Leased(
        claim.hold, claim.queue, claim.message, claim.attempt, term, joined=claim.joined
    )
    return Claim(store.engine, leased)


def _shown(claim: Claim) -> tuple[Any, ...]:
    facts = claim.id, claim.fence, claim.attempt, claim.expires_at
    return (*facts, claim.queue, claim.origin, claim.message, claim.joined)


def _json(result: Any) -> str | None:
    return None if result is None else json.dumps(result)


TestQueues = QueueMachine.TestCase
TestQueues.settings = profile(examples=50, steps=40)
