"""Queues: their caps, and how many deliveries they have in each state.

The numbers are kept, not counted: a cap that is asked about at each enqueue must cost
the same however long the queue is.
"""

from __future__ import annotations

from ..errors import LimitExceeded, QueueFull
from .door import Door, Write

_CAPS = """
select max_rows, max_bytes, ready + leased, bytes
from fp_queue
where name = :queue
"""

_BEGIN = "insert into fp_queue (name) values (:queue) on conflict do nothing"

_SET_CAPS = """
update fp_queue
set max_rows = :max_rows, max_bytes = :max_bytes
where name = :queue
"""

LIVE = ("ready", "leased")

# One statement for each state that a delivery may leave and enter, with constant text.
_MOVE = {
    (old, new): (
        f"update fp_queue set {old} = {old} - :count, {new} = {new} + :count,"  # noqa: S608
        " bytes = bytes + :bytes where name = :queue"
    )
    for old in ("ready", "leased", "done", "dead", "cancelled")
    for new in ("ready", "leased", "done", "dead", "cancelled")
    if old != new
}

_ARRIVE = {
    state: (
        f"update fp_queue set {state} = {state} + 1, bytes = bytes + :bytes"  # noqa: S608
        " where name = :queue returning 1"
    )
    for state in ("ready", "dead")
}

_LEAVE = {
    state: f"update fp_queue set {state} = {state} - :count where name = :queue"  # noqa: S608
    for state in ("done", "dead", "cancelled")
}


def set_caps(write: Write, queue: str, max_rows: int | None, max_bytes: int | None) -> None:
    """Bound what may wait in a queue from now on; None is no bound."""
    write.run(_BEGIN, {"queue": queue})
    write.run(_SET_CAPS, {"queue": queue, "max_rows": max_rows, "max_bytes": max_bytes})


def caps(door: Door, queue: str) -> tuple[int | None, int | None]:
    """Return the caps of a queue, rows and bytes."""
    for max_rows, max_bytes, _, _ in door.read(_CAPS, {"queue": queue}):
        return max_rows, max_bytes
    return None, None


def require_room(write: Write, queue: str, bytes: int) -> None:
    """Raise QueueFull when one more delivery of so many bytes is over a cap.

    Raises:
        LimitExceeded: It would be too much for the empty queue as well.
    """
    found = write.run(_CAPS, {"queue": queue})
    if not found:
        return
    max_rows, max_bytes, rows, used = found[0]
    if max_bytes is not None and bytes > max_bytes:
        raise LimitExceeded(
            f"a body of {bytes} bytes is over the {max_bytes} that queue {queue} may hold",
            operation="enqueue",
            path=write.path,
        )
    if max_rows is not None and rows >= max_rows:
        raise QueueFull(queue, f"{rows} deliveries", operation="enqueue", path=write.path)
    if max_bytes is not None and used + bytes > max_bytes:
        raise QueueFull(queue, f"{used} bytes", operation="enqueue", path=write.path)


def arrived(write: Write, queue: str, state: str, bytes: int) -> None:
    """Count a new delivery."""
    weight = bytes if state in LIVE else 0
    if write.run(_ARRIVE[state], {"queue": queue, "bytes": weight}):
        return
    write.run(_BEGIN, {"queue": queue})
    write.run(_ARRIVE[state], {"queue": queue, "bytes": weight})


def moved(write: Write, queue: str, old: str, new: str, bytes: int, count: int = 1) -> None:
    """Count deliveries that went from one state to another, `bytes` of them together."""
    weight = bytes * ((new in LIVE) - (old in LIVE))
    write.run(_MOVE[old, new], {"queue": queue, "count": count, "bytes": weight})


def left(write: Write, queue: str, state: str, count: int) -> None:
    """Count deliveries out that were deleted; none of them was ready or leased."""
    write.run(_LEAVE[state], {"queue": queue, "count": count})
