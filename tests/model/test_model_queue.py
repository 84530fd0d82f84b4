"""Queues against their model: every public verb, by two openings, at any time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
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
    precondition,
    rule,
)

from fencepost import Claim, InvalidInput, LimitExceeded, QueueFull, QueueStats, Receipt, Store
from fencepost.store.engine import Leased
from fencepost.store.engine.clock import Term
from fencepost.store.types.message import Caps, Limits

from ..sqlite import invariants
from ..sqlite.inside import ask
from .machine import OPENINGS, RolledBack, StoreMachine, agree, profile
from .queue_model import DAYS, EXPIRED, LIVE, Draft, Held, Job, Queues

QUEUES = ["mail", "push"]

# Little is different, so that much meets.
queues = st.sampled_from(["mail", "mail", "mail", "push"])
drafts = st.builds(
    Draft,
    queue=queues,
    body=st.sampled_from([b"", b"one", b"two", b"z" * 600]),
    key=st.sampled_from([None, "k1", "k2", "k3"]),
    headers=st.sampled_from([{}, {"x-kind": "test"}]),
    lane=st.sampled_from(["east", "east", None, "west"]),
    delay=st.sampled_from([0, 0, 5_000, 10_000]),
    priority=st.integers(-1, 1),
    keep=st.sampled_from([0, 5_000, 20_000]),
    policy=st.sampled_from(["strict", "skip", "park"]),
    max_attempts=st.sampled_from([1, 2, None]),
    retry_for=st.sampled_from([DAYS, 15_000, 60_000]),
)
leases = st.sampled_from([1, 5_000, 10_000])
results = st.sampled_from([None, 1, {"done": [True, None]}])
picks = st.lists(st.integers(1, 12), min_size=1, max_size=3)


class QueueMachine(StoreMachine):
    """Claims stay usable for ever: late, twice, by the other opening and after a reopening."""

    claims = Bundle("claims")

    @initialize(batch=st.lists(drafts, max_size=5))
    def begin(self, batch: list[Draft]) -> None:
        self.model = Queues()
        self.last_fence = 0
        self.effects: list[int] = []
        with self.stores[0].transaction() as tx:
            tx.execute("create table effects (fence integer)")
        for draft in batch:
            self.enqueue(0, draft)

    # letting in

    @rule(which=OPENINGS, draft=drafts)
    def enqueue(self, which: int, draft: Draft) -> None:
        given = _given(draft)
        queue = self.stores[which].queue(draft.queue)
        self._enqueued(
            agree(
                lambda: self._moved().enqueue([draft], self.now),
                lambda: [queue.enqueue(**given)],
            )
        )

    @rule(which=OPENINGS, batch=st.lists(drafts, min_size=2, max_size=4), name=st.integers(0, 1))
    def enqueue_many(self, which: int, batch: list[Draft], name: int) -> None:
        queue = self.stores[which].queue(QUEUES[name])
        batch = [_to(draft, queue.name) for draft in batch]
        self._enqueued(
            agree(
                lambda: self._moved().enqueue(batch, self.now),
                lambda: queue.enqueue_many(_given(draft) for draft in batch),
            )
        )

    @rule(which=OPENINGS, batch=st.lists(drafts, min_size=1, max_size=3), commits=st.booleans())
    def enqueue_with_rows_of_ones_own(self, which: int, batch: list[Draft], commits: bool) -> None:
        store = self.stores[which]

        def together() -> list[Receipt]:
            with store.transaction() as tx:
                tx.execute("insert into effects values (0)")
                with pytest.raises(InvalidInput):
                    store.queue(batch[0].queue).claim()
                receipts = [store.queue(one.queue).enqueue(**_given(one)) for one in batch]
                if not commits:
                    raise RolledBack
                return receipts

        if not commits:
            with pytest.raises((RolledBack, QueueFull, LimitExceeded)):
                together()
            return
        answers = agree(lambda: self._moved().enqueue(batch, self.now), together)
        self._enqueued(answers)
        if answers[0] is not None:
            self.effects.append(0)

    @rule(
        which=OPENINGS,
        name=queues,
        caps=st.fixed_dictionaries(
            {},
            optional={
                "max_rows": st.sampled_from([None, 1, 2, 4]),
                "max_bytes": st.sampled_from([None, 3, 6, 700]),
                "max_leased": st.sampled_from([None, 1, 2, 4]),
                "keep_body_ms": st.sampled_from([0, 5_000, 30_000]),
            },
        ),
    )
    def set_caps(self, which: int, name: str, caps: dict[str, Any]) -> None:
        self.model.caps[name] = self.model.caps.get(name, Caps())._replace(**caps)
        if "keep_body_ms" in caps:
            caps = {**caps, "keep_body_for": caps["keep_body_ms"] / 1000}
            del caps["keep_body_ms"]
        self.stores[which].queue(name, **caps)

    @rule(which=OPENINGS, name=queues)
    def pause(self, which: int, name: str) -> None:
        self.model.paused.add(name)
        self.stores[which].pause(name)

    @rule(which=OPENINGS, name=queues)
    def resume(self, which: int, name: str) -> None:
        self.model.paused.discard(name)
        self.stores[which].resume(name)

    # claiming

    @rule(
        target=claims,
        which=OPENINGS,
        name=queues,
        limit=st.integers(1, 3),
        lease=leases,
    )
    def claim(self, which: int, name: str, limit: int, lease: int) -> MultipleResults[Any]:
        queue = self.stores[which].queue(name)
        wanted = self._moved().claim([name], limit, lease, self.now)
        return self._claimed(wanted, queue.claim(limit=limit, lease=lease / 1000))

    @rule(target=claims, which=OPENINGS, off=st.sampled_from([-1, 0, 0, 1]))
    def claim_as_a_lease_ends(self, which: int, off: int) -> MultipleResults[Any]:
        ends = [job.until for job in self.model.jobs if job.until is not None]
        ahead = [end for end in ends if end + off > self.now]
        if not ahead:
            return multiple()
        self.clock.advance((min(ahead) + off - self.now) / 1000)
        return self.claim(which, "mail", 3, 5_000)

    @rule(
        target=claims,
        which=OPENINGS,
        names=st.permutations(QUEUES),
        limit=st.integers(1, 3),
        lease=leases,
        acks=st.lists(st.tuples(claims, results), max_size=2),
        limits=st.sampled_from([None, (1, DAYS), (3, 8_000), (None, 15_000)]),
    )
    def work(
        self,
        which: int,
        names: list[str],
        limit: int,
        lease: int,
        acks: list[tuple[Any, Any]],
        limits: tuple[int | None, int] | None,
    ) -> MultipleResults[Any]:
        """What a worker does: ack, and claim of several queues with its handlers' limits."""
        engine = self.stores[which].engine
        done = [(held, result) for (held, _), result in acks]
        lost = self._moved().ack_many(done, self.now)
        mine = None if limits is None else {names[0]: limits}
        wanted = self.model.claim(names, limit, lease, self.now, mine)

        leased, refused = engine.queue.claim(
            names,
            limit=limit,
            lease_ms=lease,
            limits=None if limits is None else {names[0]: Limits(*limits)},
            acks=[(claim.hold, _json(result)) for (_, claim), result in acks],
        )

        assert [hold.fence for hold in refused] == [held.fence for held in lost]
        return self._claimed(wanted, [Claim(engine, one) for one in leased])

    # ending a claim

    @rule(which=OPENINGS, claim=claims, result=results)
    def ack(self, which: int, claim: Any, result: Any) -> None:
        held, claim = self._used(which, claim)
        agree(lambda: self._moved().ack(held, result, self.now), lambda: claim.ack(result))

    @rule(which=OPENINGS, some=st.lists(claims, min_size=1, max_size=4))
    def ack_many(self, which: int, some: list[Any]) -> None:
        used = [self._used(which, claim) for claim in some]
        lost = self._moved().ack_many([(held, None) for held, _ in used], self.now)
        wanted = [claim.fence for held, claim in used if held in lost]

        queue = self.stores[which].queue("mail")
        assert [one.fence for one in queue.ack_many(claim for _, claim in used)] == wanted

    @rule(
        which=OPENINGS,
        claim=claims,
        delay=st.sampled_from([0, 5_000, 10_000]),
        error=st.sampled_from([None, "no"]),
    )
    def retry(self, which: int, claim: Any, delay: int, error: str | None) -> None:
        held, claim = self._used(which, claim)
        wanted, answer = agree(
            lambda: self._moved().retry(held, delay, error, self.now),
            lambda: claim.retry(delay / 1000, error),
        )
        assert answer is wanted

    @rule(which=OPENINGS, claim=claims)
    def release(self, which: int, claim: Any) -> None:
        held, claim = self._used(which, claim)
        agree(lambda: self._moved().release(held, self.now), claim.release)

    @rule(which=OPENINGS, claim=claims)
    def bury(self, which: int, claim: Any) -> None:
        held, claim = self._used(which, claim)
        agree(lambda: self._moved().bury(held, "buried", self.now), lambda: claim.bury("buried"))

    @rule(which=OPENINGS, claim=claims, lease=leases)
    def renew(self, which: int, claim: Any, lease: int) -> None:
        held, claim = self._used(which, claim)
        until, _ = agree(
            lambda: self._moved().renew(held, lease, self.now),
            lambda: claim.renew(lease / 1000),
        )
        if until is not None:
            assert claim.expires_at == until / 1000

    @rule(which=OPENINGS, claim=claims, commits=st.booleans(), late=st.sampled_from([0, 0, 20]))
    def complete(self, which: int, claim: Any, commits: bool, late: int) -> None:
        """The lease's end does not matter here: nobody can claim meanwhile."""
        held, claim = self._used(which, claim)
        begun, done = self.now, False

        def modelled() -> None:
            self._moved().require(held, done=True)
            if commits:
                self.model.ack(held, None, begun)

        def stored() -> None:
            nonlocal done
            with claim.transaction() as tx:
                tx.execute("insert into effects values (?)", (claim.fence,))
                self.clock.advance(late)
                if not commits:
                    raise RolledBack
            done = True

        try:
            agree(modelled, stored)
        except RolledBack:
            assert not commits
        if done:
            self.effects.append(held.fence)

    @rule(claim=consumes(claims))
    def forget(self, claim: Any) -> None:
        """A worker that never comes back."""

    @rule(which=OPENINGS, back=picks)
    def deliver_again(self, which: int, back: list[int]) -> None:
        """What a receiver does with a message that its sender delivers once more."""
        store = self.stores[which]
        for job in self._picked(back):
            draft = job.draft
            if self._moved().known(draft.queue, draft.key) is not job:
                continue
            if job.forgotten_at is not None and job.forgotten_at <= self.now:
                continue  # it would be a new one
            given = store.queue(draft.queue)._draft(**_given(draft))
            again = replace(given, redelivery="revive")
            status, receipts = agree(
                partial(self.model.redeliver, job, self.now),
                partial(store.engine.queue.enqueue, [again]),
            )
            if status is not None:
                assert (receipts[0].status, receipts[0].message_id) == (status, job.message_id)
                assert receipts[0].state == job.state

    # operators

    @rule(which=OPENINGS, back=picks)
    def replay(self, which: int, back: list[int]) -> None:
        jobs = self._picked(back)
        wanted = [self._moved().replay(job, self.now) for job in jobs]
        outcomes = self.stores[which].replay_many([job.id for job in jobs])
        for kind, outcome in zip(wanted, outcomes, strict=True):
            if isinstance(kind, Job):
                assert outcome.kind == "copied"
                assert outcome.delivery is not None
                assert outcome.message is not None
                kind.id, kind.message_id = outcome.delivery, outcome.message
            else:
                assert outcome.kind == kind

    @rule(which=OPENINGS, back=picks)
    def cancel(self, which: int, back: list[int]) -> None:
        jobs = self._picked(back)
        wanted = [self._moved().cancel(job, self.now) for job in jobs]
        outcomes = self.stores[which].cancel_many([job.id for job in jobs])
        assert [outcome.kind for outcome in outcomes] == wanted

    @rule(which=OPENINGS, back=picks, name=st.integers(0, 1))
    def move(self, which: int, back: list[int], name: int) -> None:
        jobs = self._picked(sorted(set(back), reverse=True))
        if not jobs:
            return  # it would still take back what has expired
        wanted = [self._moved().move(job, QUEUES[name], self.now) for job in jobs]
        outcomes = self.stores[which].move_many([job.id for job in jobs], QUEUES[name])
        assert [outcome.kind for outcome in outcomes] == wanted

    @rule(which=OPENINGS)
    def sweep(self, which: int) -> None:
        assert self.stores[which].sweep() == self._moved().sweep(self.now)
        keys = {job.draft.key for job in self.model.jobs} - {None}
        assert {key for (key,) in ask(self.path, _KEYS)} == keys

    @precondition(lambda self: self.model.jobs)
    @rule(which=OPENINGS, back=picks)
    def look(self, which: int, back: list[int]) -> None:
        store = self.stores[which]
        for job in self._picked(back):
            content = store.content(job.id)
            assert content is not None
            assert content.headers == job.draft.headers
            assert content.result == job.result
            gone = job.state == "done" and job.body_until is None
            assert content.body == (None if gone else job.draft.body)
            assert content.copy_of == (None if job.copy_of is None else job.copy_of.message_id)
            copies = [copy.message_id for copy in self.model.jobs if copy.copy_of is job]
            assert list(content.copies) == copies
            self._same(store, job)
        assert store.delivery(10**9) is None
        assert store.content(10**9) is None
        assert not store.replay(10**9)
        assert store.cancel(10**9).kind == "not_found"

    # after each step

    @invariant()
    def all_that_can_be_seen_is_the_same(self) -> None:
        self._moved()
        invariants.check(self.path)
        for store in self.stores:
            stats = store.stats()
            for queue in QUEUES:
                wanted = QueueStats(**self.model.stats(queue, self.now))
                assert stats.get(queue, QueueStats()) == wanted
        store = self.stores[self.now % 2]
        listed = store.deliveries(limit=1000)
        assert [row.id for row in listed] == [job.id for job in reversed(self.model.jobs)]
        for job in self.model.jobs:
            self._same(store, job)
        live = [(row.queue, row.lane) for row in listed if row.state == "leased" and row.lane]
        assert len(live) == len(set(live)), "two claims of one lane"
        assert ask(self.path, "select fence from effects") == [(fence,) for fence in self.effects]

    @invariant()
    def a_worker_is_woken_in_time(self) -> None:
        for queue in QUEUES:
            jobs = [job for job in self.model.of(queue) if job.state in LIVE]
            engine = self.stores[0].engine
            assert engine.queue.anything_left([queue]) is bool(jobs)
            moments = [job.due or job.until for job in jobs]
            ahead = [moment for moment in moments if moment is not None]
            at = engine.queue.next_at_ms([queue])
            if self.model.open(queue):
                ahead.append(self.now)
            elif not any(job.until == 0 for job in self.model.jobs):  # as a reboot ends leases
                assert at != 0, "it would ask again at once, and for ever"
            if ahead:
                assert at is not None
                assert at <= min(ahead)

    # helpers

    def moments(self) -> list[int]:
        return self.model.moments()

    def newest(self) -> int:
        return self.model.jobs[-1].received if self.model.jobs else 0

    def before_reboot(self) -> None:
        # What has become due stays so, should the clock be set back.
        assert self.stores[0].queue("nothing").claim() == []
        self._moved().claim([], 1, 1, self.now)

    def rebooted(self) -> None:
        self.model.reboot()

    def _moved(self) -> Queues:
        self.model.pass_time(self.now)
        return self.model

    def _enqueued(self, answers: tuple[list[tuple[str, Job]] | None, Any]) -> None:
        wanted, receipts = answers
        if wanted is None:
            return
        assert len(receipts) == len(wanted)
        # What was enqueued since is newer than all that has an id.
        new = [job for status, job in wanted if status == "accepted"]
        listed = self.stores[0].deliveries(limit=len(new))[::-1] if new else []
        for job, row in zip(new, listed, strict=True):
            job.id, job.message_id = row.id, row.message_id
        for (status, job), receipt in zip(wanted, receipts, strict=True):
            assert receipt.status == status
            assert receipt.message_id == job.message_id
            if job not in new:
                assert (receipt.state, receipt.result) == (job.state, job.result)

    def _claimed(self, wanted: list[Held], claims: Sequence[Claim]) -> MultipleResults[Any]:
        assert len(claims) == len(wanted)
        for held, claim in zip(wanted, claims, strict=True):
            job = held.job
            assert claim.fence > self.last_fence
            held.fence = self.last_fence = claim.fence
            assert (claim.id, claim.message.id) == (job.id, job.message_id)
            assert (claim.queue, claim.attempt) == (job.draft.queue, held.attempt)
            assert claim.expires_at == held.until / 1000
            assert (claim.message.key, claim.message.body) == (job.draft.key, job.draft.body)
            assert claim.message.headers == job.draft.headers
            assert claim.message.received_at == job.received / 1000
            assert claim.message.copy_of == (job.copy_of and job.copy_of.message_id)
        return multiple(*zip(wanted, claims, strict=True))

    def _used(self, which: int, pair: tuple[Held, Claim]) -> tuple[Held, Claim]:
        """Return a claim for the other opening to use, or for one that is new."""
        held, claim = pair
        until = round(claim.expires_at * 1000)
        leased = Leased(claim.hold, claim.queue, claim.message, claim.attempt, Term(until, 0))
        return held, Claim(self.stores[which].engine, leased)

    def _picked(self, back: list[int]) -> list[Job]:
        return [self.model.jobs[-n] for n in back if n <= len(self.model.jobs)]

    def _same(self, store: Store, job: Job) -> None:
        row = store.delivery(job.id)
        assert row is not None
        draft = job.draft
        assert (row.id, row.message_id, row.queue) == (job.id, job.message_id, draft.queue)
        assert (row.key, row.lane, row.priority) == (draft.key, draft.lane, draft.priority)
        assert (row.state, row.attempt) == (job.state, job.attempt)
        assert row.max_attempts == job.max_attempts
        assert row.fence == (job.last.fence if job.last else 0)
        assert row.received_at == job.received / 1000
        due = row.due_at if row.due_at is None or row.due_at * 1000 > self.now else None
        assert due == (None if job.due is None else job.due / 1000)
        assert row.expires_at == (None if job.until is None else job.until / 1000)
        if job.error == EXPIRED:
            assert (row.error or "").startswith(EXPIRED)
        else:
            assert row.error == job.error


_KEYS = "select key from fp_message where key is not null"


def _given(draft: Draft) -> dict[str, Any]:
    return {
        "body": draft.body,
        "key": draft.key,
        "headers": draft.headers,
        "lane": draft.lane,
        "delay": draft.delay / 1000,
        "priority": draft.priority,
        "keep_for": draft.keep / 1000,
        "lane_policy": draft.policy,
        "max_attempts": draft.max_attempts,
        "retry_for": draft.retry_for / 1000,
    }


def _to(draft: Draft, queue: str) -> Draft:
    return Draft(**{**vars(draft), "queue": queue})


def _json(result: Any) -> str | None:
    return None if result is None else json.dumps(result)


TestQueues = QueueMachine.TestCase
TestQueues.settings = profile(examples=50, steps=40)
