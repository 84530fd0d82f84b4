"""What became of pools and workers: the newest of it."""

from __future__ import annotations

from ...types.worker import Event
from ..memory import Write
from ..tables import Tables

_KEPT = 10_000


def note(
    write: Write,
    kind: str,
    *,
    pool: int | None = None,
    worker: int | None = None,
    pid: int | None = None,
    delivery: int | None = None,
    fence: int | None = None,
    detail: str | None = None,
) -> None:
    """Write down what happened."""
    id = write.next("event")
    write.tables.events[id] = Event(
        id, write.now / 1000, kind, pool, worker, pid, delivery, fence, detail
    )


def events(tables: Tables, *, worker: int | None, pool: int | None, limit: int) -> list[Event]:
    """Return at most `limit` events of a worker, a pool, or all; newest first."""
    found = [
        event
        for event in reversed(tables.events.values())
        if worker in (None, event.worker) and pool in (None, event.pool)
    ]
    return found[:limit]


def sweep(write: Write) -> int:
    """Remove all events but the newest; return how many."""
    old = sorted(write.tables.events)[:-_KEPT]
    for id in old:
        del write.tables.events[id]
    return len(old)
