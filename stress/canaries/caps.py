"""Faults in how caps are kept."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ...store.sqlite.keyed import entries
from ...store.sqlite.keyed.namespaces import Record
from ...store.sqlite.queue import counters
from ...store.sqlite.queue_verbs import SqliteQueue
from ...store.sqlite.session.session import Session
from ...store.sqlite.session.write import Write
from ...store.types.message import Draft, Receipt
from ..harness.canary import Canary

# So that somebody comes in between on a slow machine too.
_BETWEEN_SECONDS = 0.005


class _Reading:
    """A write transaction's look, without the transaction."""

    def __init__(self, session: Session) -> None:
        self.path = session.path
        self.run = session.read


def _checked_before() -> None:
    was, look = SqliteQueue.enqueue, counters.require_room

    def enqueue(self: SqliteQueue, drafts: Sequence[Draft]) -> list[Receipt]:
        for draft in drafts:
            for address in draft.addresses:
                look(_Reading(self._session), address.queue, len(draft.body))  # type: ignore[arg-type]
        time.sleep(_BETWEEN_SECONDS)
        return was(self, drafts)

    SqliteQueue.enqueue = enqueue  # type: ignore[method-assign]
    counters.require_room = lambda write, queue, bytes: None


def _never_evicts() -> None:
    def make_room(write: Write, record: Record, freed: int, operation: str) -> int:
        return 0

    entries._make_room = make_room


def _uncounted() -> None:
    was = entries._make_room

    def make_room(write: Write, record: Record, freed: int, operation: str) -> int:
        was(write, record, freed, operation)
        return 0

    entries._make_room = make_room


CANARIES = (
    Canary(
        "cap-checked-before",
        "a queue's caps are looked at before the transaction that enqueues",
        scenario="caps",
        trips="caps-hold",
        plant=_checked_before,
    ),
    Canary(
        "no-eviction",
        "a full namespace of keyed state takes one more",
        scenario="caps",
        trips="caps-hold",
        plant=_never_evicts,
    ),
    Canary(
        "eviction-uncounted",
        "what is evicted from a namespace of keyed state stays counted",
        scenario="caps",
        trips="integrity",
        plant=_uncounted,
    ),
)
