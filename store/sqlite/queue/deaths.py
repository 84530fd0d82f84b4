"""New dead letters: recorded, and enqueued for the app's on_dead."""

from __future__ import annotations

import json

from ...errors import StoreCorrupt
from ...types.messages.death import DEATHS, Death
from ...types.messages.draft import Address, Draft, queue_scope
from ..session.session import Write
from .arrival import enqueue
from .payload import prepare

_DEATH = "select queue, attempt, error, message_id from fp_delivery where id = :id"
_MESSAGE = "select source, key, event from fp_message where id = :id"
TOLD = "select name, tells_dead from fp_queue"
_TELLS = "select 1 from fp_queue where name = :queue and tells_dead = 1"
_SET = """
insert into fp_queue (name, tells_dead) values (:queue, :wanted)
on conflict do update set tells_dead = :wanted
"""

# The app's function is called so often at most, within a quarter of an hour.
_MOST_CALLS = 10


def died(write: Write, id: int) -> None:
    """Note a death for the log, and in the same transaction have on_dead called for it."""
    death = _read(write, id)
    write.died.append(death)
    if not write.run(_TELLS, {"queue": death.queue}):
        return
    told = {"delivery": id, "error": death.error, "attempt": death.attempt, "queue": death.queue}
    draft = Draft(
        scope=queue_scope(DEATHS),
        source=None,
        key=None,
        event="dead",
        headers={},
        body=json.dumps(told).encode(),
        addresses=[Address(DEATHS, max_attempts=_MOST_CALLS)],
        keep_ms=0,
    )
    enqueue.enqueue(write, prepare(draft))


def tell(write: Write, queue: str, wanted: bool) -> None:
    """Have the app of a queue told of its deaths from now on, or no longer."""
    write.run(_SET, {"queue": queue, "wanted": int(wanted)})


def _read(write: Write, id: int) -> Death:
    ((queue, attempt, error, message),) = write.run(_DEATH, {"id": id})
    try:
        ((source, key, event),) = write.run(_MESSAGE, {"id": message})
    except (StoreCorrupt, ValueError):  # perhaps it died of that
        return Death(id, queue, attempt, error, message)
    return Death(id, queue, attempt, error, message, source, key, event)
