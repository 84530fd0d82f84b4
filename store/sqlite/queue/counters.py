"""Queues: caps, and counters of deliveries by state.

The numbers are kept, not counted: a cap that is asked about at each enqueue must cost
the same however long the queue is.
"""

from __future__ import annotations

from ...errors import LimitExceeded, QueueFull
from ...rules import caps as rules
from ...types.messages.limits import Caps
from ...types.messages.state import STATES
from ..rows.told import ANYBODY
from ..session.session import Session, Write
from .claimable import FREED

_CAPS = """
select max_rows, max_bytes, own_max_leased, keep_body_ms, ready + leased, bytes
from fp_queue
where name = :queue
"""

_BEGIN = "insert into fp_queue (name) values (:queue) on conflict do nothing"

_SET_CAPS = """
update fp_queue
set max_rows = :max_rows, max_bytes = :max_bytes, own_max_leased = :max_leased,
    keep_body_ms = :keep_body_ms
where name = :queue
"""

_PAUSE = """
insert into fp_queue (name, paused) values (:queue, 1)
on conflict do update set paused = 1
"""

_LIMIT = """
insert into fp_queue (name, told_max_leased) values (:queue, :most)
on conflict do update set told_max_leased = :most
"""

_RESUME = "update fp_queue set paused = 0 where name = :queue"

# Caps count them.
LIVE = ("ready", "leased")

# What has ended, unless it is replayed.
ENDS = ("done", "dead", "cancelled")

# One statement for each state that a delivery may leave and enter, with constant text. What ends
# or frees nothing has nothing to return, for which SQLite would build a table.
_MOVE: dict[tuple[str, str], str] = {
    (old, new): (
        f"update fp_queue set {old} = {old} - :count, {new} = {new} + :count,"
        f" bytes = bytes + :bytes where name = :queue"
    )
    + (
        f" returning {FREED if old == 'leased' else '0'}, {ANYBODY if new in ENDS else '0'}"
        if old == "leased" or new in ENDS
        else ""
    )
    for old in STATES
    for new in STATES
    if old != new
}

_ARRIVE = {
    state: (
        f"update fp_queue set {state} = {state} + :count, scheduled = scheduled + :due,"
        " bytes = bytes + :bytes where name = :queue"
    )
    for state in ("ready", "sleeping", "dead")
}

_ARRIVE_WITH_ROOM = """
update fp_queue
set ready = ready + :count, scheduled = scheduled + :due, bytes = bytes + :bytes
where name = :queue
  and (max_rows is null or ready + leased + :count <= max_rows)
  and (max_bytes is null or bytes + :bytes <= max_bytes)
"""

_SCHEDULED = "update fp_queue set scheduled = scheduled + :more where name = :queue"

_LEAVE = {
    state: (
        f"update fp_queue set {state} = {state} - :count, scheduled = scheduled - :due,"
        " bytes = bytes - :bytes where name = :queue"
    )
    for state in ("ready", "sleeping", "done", "dead", "cancelled")
}


def set_caps(write: Write, queue: str, caps: Caps) -> None:
    """Bound what may wait in a queue, and be leased of it, from now on."""
    write.run(_BEGIN, {"queue": queue})
    write.run(_SET_CAPS, {"queue": queue, **caps._asdict()})
    write.wakes = True  # more may be leased than before


def caps(session: Session, queue: str) -> Caps:
    """Return the caps of a queue."""
    for max_rows, max_bytes, own_max_leased, keep_body, *_ in session.read(_CAPS, {"queue": queue}):
        return Caps(max_rows, max_bytes, own_max_leased, keep_body)
    return Caps()


def limit(write: Write, queue: str, most: int | None) -> bool:
    """Bound what may be leased of a queue, whatever its own cap; False when it was new."""
    known = bool(write.run(_CAPS, {"queue": queue}))
    write.run(_LIMIT, {"queue": queue, "most": most})
    write.wakes = True
    return known


def pause(write: Write, queue: str, paused: bool) -> bool:
    """Let nothing of a queue be claimed, or claim on; False when nothing was known of it."""
    if paused:
        known = bool(write.run(_CAPS, {"queue": queue}))
        write.run(_PAUSE, {"queue": queue})
        return known
    write.wakes = True
    return bool(write.change(_RESUME, {"queue": queue}))


def require_room(write: Write, queue: str, bytes: int) -> None:
    """Raise QueueFull when one more delivery of so many bytes is over a cap.

    Raises:
        LimitExceeded: It would be too much for the empty queue as well.
    """
    found = write.run(_CAPS, {"queue": queue})
    if not found:
        return
    *bounds, rows, used = found[0]
    caps = Caps(*bounds)
    if rules.never_fits(caps, bytes):
        raise LimitExceeded(
            f"a body of {bytes} bytes is over the {caps.max_bytes} that queue {queue} may hold",
            operation="enqueue",
            path=write.path,
        )
    if holds := rules.what_is_full(caps, rows=rows, used=used, bytes=bytes):
        raise QueueFull(queue, holds, operation="enqueue", path=write.path)


def have_room(write: Write, queue: str, count: int, bytes: int) -> bool:
    """Return whether so many more deliveries of so many bytes together are within the caps."""
    for max_rows, max_bytes, _, _, rows, used in write.run(_CAPS, {"queue": queue}):
        return (max_rows is None or rows + count <= max_rows) and (
            max_bytes is None or used + bytes <= max_bytes
        )
    return True


def arrived_with_room(write: Write, queue: str, count: int, scheduled: int, bytes: int) -> bool:
    """Count new ready deliveries, unless they are over a cap; return whether they were not."""
    new = {"queue": queue, "count": count, "due": scheduled, "bytes": bytes}
    if write.change(_ARRIVE_WITH_ROOM, new):
        return True
    is_new = write.change(_BEGIN, {"queue": queue}) == 1
    return is_new and write.change(_ARRIVE_WITH_ROOM, new) == 1


def arrived(
    write: Write, queue: str, state: str, bytes: int, *, count: int = 1, scheduled: int = 0
) -> None:
    """Count new deliveries of so many bytes together; `scheduled` of them wait for their time."""
    new = {
        "queue": queue,
        "count": count,
        "bytes": bytes if state in LIVE else 0,
        "due": scheduled,
    }
    if not write.change(_ARRIVE[state], new):
        write.run(_BEGIN, {"queue": queue})
        write.must(_ARRIVE[state], new)


def moved(write: Write, queue: str, old: str, new: str, bytes: int, count: int = 1) -> None:
    """Count deliveries that went from one state to another, `bytes` of them together."""
    weight = bytes * ((new in LIVE) - (old in LIVE))
    given = {"queue": queue, "count": count, "bytes": weight}
    if old != "leased" and new not in ENDS:
        write.must(_MOVE[old, new], given)
        return
    freed, anybody_waits = write.one(_MOVE[old, new], given)
    if freed:
        write.freed.add(queue)
    if anybody_waits:
        write.anybody_waits = True


def scheduled(write: Write, queue: str, more: int) -> None:
    """Count those that wait for their time: so many more than before."""
    write.must(_SCHEDULED, {"queue": queue, "more": more})


def left(write: Write, queue: str, state: str, count: int, *, bytes: int = 0, due: int = 0) -> None:
    """Count deliveries out that are gone; `bytes` and `due` are of those that were ready."""
    write.must(_LEAVE[state], {"queue": queue, "count": count, "bytes": bytes, "due": due})
