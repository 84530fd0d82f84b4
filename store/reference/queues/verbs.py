"""Queues in plain Python: each verb is one transaction or one read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from ...engine import Hold, Leased
from ...engine.ports.clock import Term
from ...errors import LimitExceeded, QueueFull, StoreCorrupt
from ...types.messages.death import Death
from ...types.messages.draft import Draft
from ...types.messages.limits import CapChanges, Caps, Limits
from ...types.messages.receipt import Receipt
from ..memory import Session, Write
from ..rows import LIVE, QueueRow
from . import claim, settle, waiting
from .arrival import enqueue
from .outbox import PlainOutbox


class PlainQueue:
    """See fencepost.store.engine.queue.verbs.QueueVerbs; the methods stand in its order."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.outbox = PlainOutbox(session)

    def enqueue(self, drafts: Sequence[Draft]) -> list[Receipt]:
        with self._session.write("enqueue") as write:
            return [enqueue.enqueue(write, draft) for draft in drafts]

    def enqueue_each(
        self, drafts: Sequence[Draft]
    ) -> list[Receipt | QueueFull | LimitExceeded | StoreCorrupt]:
        answers: list[Receipt | QueueFull | LimitExceeded | StoreCorrupt] = []
        with self._session.write("enqueue") as write:
            for draft in drafts:
                try:
                    with write.part():
                        answers.append(enqueue.enqueue(write, draft))
                except (QueueFull, LimitExceeded) as error:
                    answers.append(error)
        return answers

    def caps(self, queue: str) -> Caps:
        return self._session.read("caps").queues.get(queue, QueueRow()).caps

    def change_caps(self, queue: str, changes: CapChanges) -> None:
        caps = self.caps(queue)
        if caps._replace(**changes) != caps:
            with self._session.write("set_caps") as write:
                known = write.tables.queues.get(queue, QueueRow())
                caps = known.caps._replace(**changes)
                write.tables.queues[queue] = known._replace(caps=caps)
                write.wakes = True

    def tell_deaths(self, queues: Mapping[str, bool]) -> None:
        with self._session.write("tell_deaths") as write:
            for queue, wanted in queues.items():
                known = write.tables.queues.get(queue, QueueRow())
                if known.tells != wanted:
                    write.tables.queues[queue] = known._replace(tells=wanted)

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
        with self._session.write("claim", joins=False) as write:
            refused = settle.ack_each(write, acks)
            settle.release_each(write, releases)
            settle.postpone_each(write, postponed)
            leased = claim.claim(
                write,
                queues,
                limit=limit,
                lease_ms=lease_ms,
                owner=owner,
                limits=limits or {},
                prefetch=prefetch,
                joins=joins or {},
            )
            return leased, refused

    def renew(self, hold: Hold, lease_ms: int) -> Term:
        with self._session.write("renew") as write:
            return settle.renew(write, hold, lease_ms)

    def ack(self, hold: Hold, result: str | None) -> None:
        with self._session.write("ack") as write:
            settle.ack(write, hold, result)

    def ack_many(self, holds: Sequence[Hold]) -> list[Hold]:
        with self._session.write("ack") as write:
            return settle.ack_each(write, [(hold, None) for hold in holds])

    @contextmanager
    def completion(self, hold: Hold) -> Iterator[Write]:
        with self._session.write("transaction", joins=False) as write:
            settle.require(write, hold, "transaction", done=True)
            yield write
            settle.ack(write, hold, None)

    def retry(self, hold: Hold, delay_ms: int, error: str | None) -> bool:
        with self._session.write("retry") as write:
            return settle.retry(write, hold, delay_ms, error)

    def release(self, hold: Hold) -> None:
        with self._session.write("release") as write:
            settle.release(write, hold)

    def bury(self, hold: Hold, error: str) -> None:
        with self._session.write("bury") as write:
            settle.bury(write, hold, error)

    def next_at_ms(self, queues: Sequence[str]) -> int | None:
        return waiting.next_at_ms(self._session.read(), queues)

    def waiting_since_ms(self, queues: Sequence[str]) -> int | None:
        return waiting.waiting_since_ms(self._session.read(), queues, self._session.now_ms())

    def anything_left(self, queues: Sequence[str]) -> bool:
        tables, now = self._session.read(), self._session.now_ms()
        return any(
            row.state in LIVE or (row.state == "sleeping" and (row.due_ms or 0) <= now)
            for queue in queues
            for row in tables.of_queue(queue)
        )
