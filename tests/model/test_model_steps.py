"""Handlers that remember, sleep, wait and are answered, beside all that is done to queues."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import MultipleResults, initialize, invariant, multiple, rule

from fencepost import Store
from fencepost.store.engine import Hold
from fencepost.store.types.durable.sleep import Sleep
from fencepost.store.types.durable.step import StepKind, StepRecord
from fencepost.store.types.durable.wait import NEVER_MS, Place, Subject, Wanted

from .machine import OPENINGS, Pair, RolledBack, profile
from .test_model_queue import QueueMachine, picks

names = st.sampled_from(["a", "b"])
kinds: st.SearchStrategy[StepKind] = st.sampled_from(["call", "call", "error", "now"])
outcomes = st.sampled_from(["null", '"one"', b"\x00two"])
answers = st.sampled_from(["1", "2"])
timeouts = st.sampled_from([None, 0, 5, 10])
subjects = st.sampled_from([None, None, None, Subject("s", "e", None, 0)])


Deed = tuple[str, str, int]

# What is done, to a step of which name, and how.
_REMEMBERED = ("record", "record", "write", "answer", "answer", "token", "pass")
_SUSPENDING = ("sleep", "wait", "wait", "over", "receive", "retry", "ack", "reopen")


def _deeds(*kinds: str, least: int = 2) -> st.SearchStrategy[list[Deed]]:
    deed = st.tuples(st.sampled_from(kinds), names, st.integers(0, 3))
    return st.lists(deed, min_size=least, max_size=6)


deeds = _deeds(*_REMEMBERED, *_SUSPENDING)


class StepMachine(QueueMachine):
    """A worker may record, sleep and wait with every claim that it ever had."""

    @initialize()
    def begin_steps(self) -> None:
        self.tokens: list[Place] = []

    # handlers

    @rule(target=QueueMachine.claims, which=OPENINGS, limit=st.integers(1, 2), deeds=deeds)
    def handle(self, which: int, limit: int, deeds: list[Deed]) -> MultipleResults[Any]:
        """What several handlers do after each other, and others to them."""
        taken = self.claim(which, "mail", limit, 5)
        if not taken.values:
            self.enqueue(which, "mail", {"body": b"one", "keep_for": 5})
            taken = self.claim(which, "mail", limit, 5)
        for claim in taken.values:
            for deed in deeds:
                self._do(which, claim, *deed)
        return taken

    @rule(target=QueueMachine.claims, which=OPENINGS, deeds=deeds, last=deeds)
    def wake(self, which: int, deeds: list[Deed], last: list[Deed]) -> MultipleResults[Any]:
        """What a handler does once the next sleeper may be awake, and then another."""
        rows = self.tables.deliveries.values()
        due = [row.due_ms or 0 for row in rows if row.state == "sleeping"]
        if due and self.now < min(due) < NEVER_MS:
            self.clock.advance((min(due) - self.now) / 1000)
        first, second = self.handle(which, 1, deeds), self.handle(1 - which, 2, last)
        return multiple(*first.values, *second.values)

    @rule(
        target=QueueMachine.claims,
        which=OPENINGS,
        first=_deeds(*_REMEMBERED),
        start=st.sampled_from([None, True, "a", "b"]),
        deeds=deeds,
    )
    def come_back(
        self, which: int, first: list[Deed], start: bool | str | None, deeds: list[Deed]
    ) -> MultipleResults[Any]:
        """Die with all that is recorded, be replayed with or without it, and be handled."""
        taken = self.handle(which, 1, first)
        for claim in taken.values:
            self._end(which, claim, lambda one: one.bury("no"))
        if start is None:
            self.replay(which, [1, 2, 3, 4])
        else:
            self.replay_and_forget(which, [1, 2, 3, 4], start)
        return multiple(*taken.values, *self.handle(which, 1, deeds).values)

    # steps

    @rule(
        which=OPENINGS,
        claim=QueueMachine.claims,
        name=names,
        kind=kinds,
        outcome=outcomes,
        times=st.integers(1, 2),
    )
    def record(
        self,
        which: int,
        claim: Pair,
        name: str,
        kind: StepKind,
        outcome: str | bytes,
        times: int,
    ) -> None:
        """What a worker does after a step, once more if it could not know that it was done."""
        new = self._new(claim, name, kind, outcome)
        for _ in range(times):
            self.same(
                which,
                lambda store: store.engine.durable.steps.record([(claim.of(store).hold, new)]),
                _refusals,
            )

    @rule(which=OPENINGS, some=st.lists(QueueMachine.claims, min_size=2, max_size=3))
    def record_of_several(self, which: int, some: list[Pair]) -> None:
        entries = [(each, self._new(each, "a", "call", "1")) for each in some]

        def recorded(store: Store) -> list[Any]:
            of = [(each.of(store).hold, new) for each, new in entries]
            return store.engine.durable.steps.record(of)

        self.same(which, recorded, _refusals)

    @rule(which=OPENINGS, claim=QueueMachine.claims, name=names, commits=st.booleans())
    def write_and_record(self, which: int, claim: Pair, name: str, commits: bool) -> None:
        new = self._new(claim, name, "call", "1")

        def written(store: Store) -> None:
            with store.engine.durable.steps.transaction(claim.of(store).hold) as step:
                self.effects.of(store).on(store).write(step.tx, claim.plain.fence)
                step.record(new)
                if not commits:
                    raise RolledBack

        self.same(which, written)

    # sleeping and waiting

    @rule(
        which=OPENINGS,
        claim=QueueMachine.claims,
        seconds=st.sampled_from([0, 1, 5, 10]),
        anew=st.booleans(),
        times=st.integers(1, 2),
    )
    def sleep(self, which: int, claim: Pair, seconds: int, anew: bool, times: int) -> None:
        until = self.now + seconds * 1000
        new = [self._new(claim, "nap", "sleep", str(until))] if anew else []
        for _ in range(times):
            self._suspend(which, claim, Sleep("nap", until, anew, new))

    @rule(
        which=OPENINGS,
        claim=QueueMachine.claims,
        name=names,
        timeout=timeouts,
        subject=subjects,
        beside=st.booleans(),
    )
    def wait(
        self,
        which: int,
        claim: Pair,
        name: str,
        timeout: int | None,
        subject: Subject | None,
        beside: bool,
    ) -> None:
        """Wait for an answer, or a message; beside a second wait if a coroutine does so."""
        if subject is not None:
            name = "s e"  # as ctx.wait_for calls it
        found = self.tables.waits.get((claim.plain.id, name, 1))
        deadline = None if found is None else found.deadline_ms
        anew = deadline is None
        if deadline is None:
            deadline = NEVER_MS if timeout is None else self.now + timeout * 1000
        place = Place(claim.plain.id, name, 1, claim.plain.generation)
        waits = [Wanted(place if subject else self._token(claim, name), deadline, subject)]
        if beside:
            waits.append(Wanted(self._token(claim, "c"), NEVER_MS))
        self._suspend(which, claim, Sleep(name, deadline, anew, waits=waits))

    @rule(which=OPENINGS, claim=QueueMachine.claims, name=names)
    def is_over(self, which: int, claim: Pair, name: str) -> None:
        place = self._token(claim, name)
        over = self.same(which, lambda s: s.engine.durable.waits.is_over(claim.of(s).hold, place))
        found = self.tables.waits.get(place[:3])
        assert not over or (found is not None and found.answer is None)

    @rule(which=OPENINGS, claim=QueueMachine.claims, name=names)
    def give_a_token(self, which: int, claim: Pair, name: str) -> None:
        self._token(claim, name)

    @rule(which=OPENINGS, number=st.integers(0, 9), value=answers, times=st.integers(1, 2))
    def answer(self, which: int, number: int, value: str, times: int) -> None:
        if self.tokens:
            place = self.tokens[-1 - number % len(self.tokens)]
            for _ in range(times):
                self.same(which, lambda store: store.engine.durable.waits.answer(place, value))

    @rule(which=OPENINGS, number=st.integers(0, 9), value=answers, off=st.sampled_from([-1, 0, 1]))
    def answer_at_a_deadline(self, which: int, number: int, value: str, off: int) -> None:
        ends = [wait.deadline_ms for wait in self.tables.waits.values() if wait.deadline_ms]
        ahead = [end for end in ends if self.now < end + off < NEVER_MS]
        if ahead:
            self.clock.advance((min(ahead) + off - self.now) / 1000)
            self.answer(which, number, value, 1)

    # operators

    @rule(which=OPENINGS, back=picks, start=st.sampled_from([True, "a", "b", "nap"]))
    def replay_and_forget(self, which: int, back: list[int], start: bool | str) -> None:
        forget: dict[str, Any] = {"from_start": True} if start is True else {"from_step": start}
        self._operate(which, back, lambda store, ids: store.replay_many(ids, **forget))

    # after each step

    @invariant()
    def what_is_remembered_is_the_same(self) -> None:
        for id in sorted(self.tables.deliveries):
            which = id % 2
            self.same(which, lambda s, id=id: s.engine.durable.steps.records(id))  # type: ignore[misc]
            for name in ("a", "b", "c", "s e"):
                place = Place(id, name, 1)
                self.same(which, lambda s, at=place: s.engine.durable.waits.find(at))  # type: ignore[misc]

    @invariant()
    def nothing_is_left_of_what_has_ended(self) -> None:
        going = {
            id
            for id, row in self.tables.deliveries.items()
            if row.state not in ("done", "cancelled")
        }
        assert set(self.tables.steps) <= going
        assert {id for id, _, _ in self.tables.waits} <= going

    # helpers

    def _do(self, which: int, claim: Pair, what: str, name: str, how: int) -> None:
        match what:
            case "record":
                self.record(which, claim, name, "call", "1", 1 + how % 2)
            case "write":
                self.write_and_record(which, claim, name, how > 0)
            case "sleep":
                self.sleep(which, claim, (0, 5, 5, 10)[how], how != 2, 1)
            case "wait":
                subject = Subject("s", "e", None, 0) if how == 3 else None
                self.wait(which, claim, name, (None, 0, 5, 5)[how], subject, how == 1)
            case "over":
                self.is_over(which, claim, name)
            case "answer":
                place = self._token(claim, name)
                value = "12"[how % 2]
                self.same(which, lambda s: s.engine.durable.waits.answer(place, value))
            case "token":
                self.give_a_token(which, claim, name)
            case "receive":
                self.receive(which, None, ["push"], None)
            case "retry":
                self._end(which, claim, lambda one: one.retry(5 * (how % 2), "no"))
            case "ack":
                self._end(which, claim, lambda one: one.ack(None))
            case "pass":
                self.clock.advance((0.001, 4.999, 5, 10)[how])
            case _:
                self.reopen(how % 2)

    def moments(self) -> list[int]:
        ends = [wait.deadline_ms for wait in self.tables.waits.values()]
        return [*super().moments(), *(end for end in ends if end is not None and end < NEVER_MS)]

    def _new(self, claim: Pair, name: str, kind: StepKind, outcome: str | bytes) -> StepRecord:
        """Return the record of a step that the worker of a claim asks for next."""
        _note(claim)
        known = self.tables.steps.get(claim.plain.id, ())
        occurrence = 1 + sum(each.name == name for each in known)
        return StepRecord(
            number=max((each.number for each in known), default=0) + 1,
            name=name,
            occurrence=occurrence,
            kind=kind,
            arguments_sha256=None,
            arguments=None,
            outcome=outcome,
            fence=claim.plain.fence,
            code="v1",
        )

    def _token(self, claim: Pair, name: str) -> Place:
        _note(claim)
        place = Place(claim.plain.id, name, 1, claim.plain.generation)
        if place not in self.tokens:
            self.tokens.append(place)
        return place

    def _suspend(self, which: int, claim: Pair, sleep: Sleep) -> None:
        _note(claim)

        def suspended(store: Store) -> None:
            hold: Hold = claim.of(store).hold
            store.engine.durable.steps.suspend(hold, sleep)

        self.same(which, suspended)


def _note(claim: Pair) -> None:
    """Have both engines forget what is recorded once the claim's delivery is done."""
    claim.sqlite.note_steps()
    claim.plain.note_steps()


def _refusals(found: list[Any]) -> list[str | None]:
    return [None if each is None else each.cause for each in found]


# What is the business of queues alone.
for _name in (
    *("enqueue_many", "enqueue_with_rows_of_ones_own", "change_caps", "pause", "limit"),
    *("work", "claim_as_a_lease_ends", "claim_and_end", "renew", "complete", "ack_many", "forget"),
    *("deliver_again", "turn_a_route", "drain", "discard", "look"),
):
    assert hasattr(QueueMachine, _name)
    setattr(StepMachine, _name, None)

TestSteps = StepMachine.TestCase
TestSteps.settings = profile(examples=25, steps=40)
