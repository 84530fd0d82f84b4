"""Working a store off to its end, so that a history can say what was lost."""

from __future__ import annotations

from ...store import Store
from ...store.types.delivery import Delivery
from ..records.history import Recorder
from .noted import ack, claim

_AT_ONCE = 100
_PAGE = 500


def drain(store: Store, history: Recorder, queue: str) -> int:
    """Claim and ack all that is ready in a queue; return how many that were.

    A delivery that somebody else holds is waited for by nobody: it stays.
    """
    worked, deliveries = 0, store.queue(queue)
    while True:
        claims = claim(history, deliveries, limit=_AT_ONCE)
        if not claims:
            return worked
        for each in claims:
            ack(history, each)
        worked += len(claims)


def note_final(store: Store, history: Recorder) -> list[Delivery]:
    """Note what has become of every delivery, and return them all."""
    found: list[Delivery] = []
    while page := store.deliveries(limit=_PAGE, before=found[-1].id if found else None):
        found += page
    for each in found:
        history.seen("final", queue=each.queue, key=each.key, id=each.message_id, state=each.state)
    return found
