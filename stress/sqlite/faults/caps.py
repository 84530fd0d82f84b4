"""Faults in keyed state, and in how caps are kept."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ....store.engine.keyed import Item, Space
from ....store.sqlite.keyed import entries
from ....store.sqlite.keyed.namespaces import Record
from ....store.sqlite.queue import counters
from ....store.sqlite.queue_verbs import SqliteQueue
from ....store.sqlite.session.session import Session, Write
from ....store.types.messages.draft import Draft
from ....store.types.messages.receipt import Receipt
from ...harness.faults import fault

# So that somebody comes in between on a slow machine too.
_BETWEEN_SECONDS = 0.005


class _Reading:
    """A write transaction's look, without the transaction."""

    def __init__(self, session: Session) -> None:
        self.path = session.path
        self.run = session.read


@fault("register_if_absent overwrites what is there")
def register_overwrites() -> None:
    was = entries.put

    def put(
        write: Write, space: Space, item: Item, operation: str, *, replace: bool = True
    ) -> bool:
        return was(write, space, item, operation)

    entries.put = put


@fault("a queue's caps are checked before the transaction that enqueues")
def cap_checked_before() -> None:
    was, look = SqliteQueue.enqueue, counters.require_room

    def enqueue(self: SqliteQueue, drafts: Sequence[Draft]) -> list[Receipt]:
        for draft in drafts:
            for address in draft.addresses:
                look(_Reading(self._session), address.queue, len(draft.body))  # type: ignore[arg-type]
        time.sleep(_BETWEEN_SECONDS)
        return was(self, drafts)

    SqliteQueue.enqueue = enqueue  # type: ignore[method-assign]
    counters.require_room = lambda write, queue, bytes: None


@fault("an enqueue does not check whether there is room")
def no_cap() -> None:
    def require_room(write: Write, queue: str, bytes: int) -> None:
        pass

    counters.require_room = require_room


@fault("a full namespace of keyed state accepts one more entry")
def no_eviction() -> None:
    def make_room(write: Write, record: Record, freed: int, operation: str) -> int:
        return 0

    entries._make_room = make_room


@fault("an entry evicted from a namespace stays counted")
def eviction_uncounted() -> None:
    was = entries._make_room

    def make_room(write: Write, record: Record, freed: int, operation: str) -> int:
        was(write, record, freed, operation)
        return 0

    entries._make_room = make_room
