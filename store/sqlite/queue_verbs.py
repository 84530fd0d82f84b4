"""The queues' part of the contract on SQLite: one transaction or one read per verb."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TypeVar

from ..engine.ports.clock import Term
from ..engine.queue.claims import Hold, Leased
from ..errors import LimitExceeded, QueueFull, StoreCorrupt
from ..rules import caps as rules
from ..types.messages.death import Death
from ..types.messages.draft import Draft
from ..types.messages.limits import CapChanges, Caps, Limits
from ..types.messages.receipt import Receipt
from .file.space import ROW_BYTES, again_when_full
from .operators import counts
from .outbox.verbs import SqliteOutbox
from .queue import claim, counters, deaths, settle
from .queue.arrival import enqueue
from .queue.completion import Completion
from .queue.payload import Prepared, prepare
from .queue.sets import claim as claim_set
from .queue.sets import end as end_set
from .queue.sets import enqueue as enqueue_set
from .queue.sets.odd import by_set_or_by_row
from .rows import kept as kept_rows
from .session import damage
from .session.session import Session, Write
from .waits.messages import arrived

A = TypeVar("A")

_by_set_or_by_row = again_when_full(by_set_or_by_row)


@damage.tells
class SqliteQueue:
    """See fencepost.store.engine.queue.verbs.QueueVerbs; the methods stand in its order."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.outbox = SqliteOutbox(session)

    def enqueue(self, drafts: Sequence[Draft]) -> list[Receipt]:
        return self._enqueue(drafts, enqueue.enqueue)

    def enqueue_each(
        self, drafts: Sequence[Draft]
    ) -> list[Receipt | QueueFull | LimitExceeded | StoreCorrupt]:
        return self._enqueue(drafts, enqueue.enqueue_or_error)

    def _enqueue(
        self, drafts: Sequence[Draft], one: Callable[[Write, Prepared, Collection[str]], A]
    ) -> list[A | Receipt]:
        batch = [prepare(draft) for draft in drafts]
        grows = sum([len(each.body) for each in batch]) + len(batch) * ROW_BYTES

        routed = any(draft.source is not None for draft in drafts)

        def transact(by_set: bool) -> list[A | Receipt]:
            with self._session.write("enqueue", grows=grows) as write:
                off = kept_rows.off(write) if routed else ()
                answers: list[A | Receipt]
                if by_set and not off:
                    answers = [*enqueue_set.enqueue(write, batch)]
                else:
                    answers = enqueue_set.enqueue_runs(
                        write, batch, lambda each: one(write, each, off), off
                    )
                if routed:
                    arrived(write, drafts, answers)
                return answers

        return by_set_or_by_row(transact)

    def caps(self, queue: str) -> Caps:
        return counters.caps(self._session, queue)

    def change_caps(self, queue: str, changes: CapChanges) -> None:
        before = counters.caps(self._session, queue)
        if rules.changed(before, changes) == before:
            return
        with self._session.write("set_caps") as write:
            # Another may have changed the others since.
            now = counters.caps(self._session, queue)
            counters.set_caps(write, queue, rules.changed(now, changes))

    def tell_deaths(self, queues: Mapping[str, bool]) -> None:
        told = dict(map(tuple, self._session.read(deaths.TOLD)))
        news = {name: wanted for name, wanted in queues.items() if told.get(name, 0) != wanted}
        if news:
            with self._session.write("tell_deaths") as write:
                for name, wanted in news.items():
                    deaths.tell(write, name, wanted)

    def on_died(self, call: Callable[[Sequence[Death]], None]) -> None:
        self._session.on_died = call

    def claim(
        self,
        queues: Sequence[str],
        *,
        limit: int,
        lease_ms: int,
        owner: int | None = None,
        limits: Mapping[str, Limits] | None = None,
        acks: Sequence[tuple[Hold, str | None]] = (),
        releases: Sequence[Hold] = (),
        postponed: Sequence[tuple[Hold, int]] = (),
        prefetch: Mapping[str, int] | None = None,
        joins: Mapping[str, int] | None = None,
    ) -> tuple[list[Leased], list[Hold]]:
        tried: list[Hold] = []
        batch = prefetch is not None and max(prefetch.values()) > 1

        # A fence must not be known to anybody before the COMMIT that makes it true.
        def transact(by_set: bool) -> tuple[list[Leased], list[Hold], bool]:
            end, take = (end_set, claim_set.claim) if by_set else (settle, claim.claim)
            with self._session.write("claim", joins=False, batch=batch) as write:
                if tried:  # the first COMMIT may be there after all
                    settle.release_each(write, tried)
                refused = end.ack_each(write, acks) if acks else []
                if releases:
                    end.release_each(write, releases)
                if postponed:
                    settle.postpone_each(write, postponed)
                leases, more = take(
                    write,
                    queues,
                    limit=limit,
                    lease_ms=lease_ms,
                    worker=owner,
                    limits=limits or {},
                    prefetch=prefetch,
                    joins=joins or {},
                )
                tried.extend([each.hold for each in leases])
                write.wakes |= more  # whoever heard of it first is busy from now on
            return leases, refused, more and not leases and limit > 0

        refused: list[Hold] = []
        leases, lost, again = _by_set_or_by_row(transact)
        while True:  # as long as each turn has buried what cannot be read
            refused += lost
            if not again:
                return leases, refused
            acks, releases, postponed = (), (), ()
            leases, lost, again = again_when_full(transact)(False)

    @again_when_full
    def renew(self, hold: Hold, lease_ms: int) -> Term:
        with self._session.write("renew") as write:
            until_ms = settle.renew(write, hold, lease_ms)
            return Term(until_ms, until_ms - write.now_ms)

    @again_when_full
    def ack(self, hold: Hold, result: str | None) -> None:
        with self._session.write("ack") as write:
            settle.ack(write, hold, result)

    @again_when_full
    def ack_many(self, holds: Sequence[Hold]) -> list[Hold]:
        acks = [(hold, None) for hold in holds]

        def transact(by_set: bool) -> list[Hold]:
            ack = end_set.ack_each if by_set else settle.ack_each
            with self._session.write("ack") as write:
                return ack(write, acks)

        return by_set_or_by_row(transact)

    def completion(self, hold: Hold) -> AbstractContextManager[Write]:
        return Completion(self._session, hold)

    @again_when_full
    def retry(self, hold: Hold, delay_ms: int, error: str | None) -> bool:
        with self._session.write("retry") as write:
            return settle.retry(write, hold, delay_ms, error)

    @again_when_full
    def release(self, hold: Hold) -> None:
        with self._session.write("release") as write:
            settle.release(write, hold)

    @again_when_full
    def bury(self, hold: Hold, error: str) -> None:
        with self._session.write("bury") as write:
            settle.bury(write, hold, error)

    def next_at_ms(self, queues: Sequence[str]) -> int | None:
        return counts.next_at_ms(self._session, queues)

    def waiting_since_ms(self, queues: Sequence[str]) -> int | None:
        return counts.waiting_since_ms(self._session, queues)

    def anything_left(self, queues: Sequence[str]) -> bool:
        return counts.anything_left(self._session, queues)
