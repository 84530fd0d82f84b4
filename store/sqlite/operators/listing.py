"""Lists of deliveries, newest first, and one delivery or message by its id.

The most selective condition decides which index is read. The other conditions are tried on
each of its rows, so a list with conditions that few rows meet may read many.
"""

from __future__ import annotations

import json

from ...types.delivery import Content, Delivery, Stored
from ...types.filter import Filter
from ...types.transaction import Row
from ..queue import payload
from ..queue.claimable import APART, FRESH, LEASED
from ..queue.retention import KEPT_UNTIL
from ..session.session import Session
from ..waits.shell_pattern import glob

# What each fact of a Delivery is read from; times become seconds.
_FACTS = {
    "id": "d.id",
    "message_id": "d.message_id",
    "queue": "d.queue",
    "source": "m.source",
    "key": "m.key",
    "event": "m.event",
    "state": "d.state",
    "attempt": "d.attempt",
    "max_attempts": "d.max_attempts",
    "fence": "d.fence",
    "priority": "d.priority",
    "lane": "d.lane",
    "error": "d.error",
    "received_at": "m.received_at_ms",
    "due_at": "d.due_at_ms",
    "expires_at": "case d.state when 'leased' then d.lease_until_ms end",
    "holder": "case d.state when 'leased' then d.holder_pid end",
    "crashes": "d.crashes",
    "origin": "d.origin",
    "asleep": "d.asleep",
}
_TIMES = ("received_at", "due_at", "expires_at")

_COLUMNS = f"select {', '.join(_FACTS.values())}"

_MATCHING = """
  and d.id >= :floor
  and d.id < :before
  and (:state is null or d.state = :state)
  and (:due_after is null or d.due_at_ms > :due_after)
  and (:queue is null or d.queue = :queue)
  and (:source is null or m.source = :source)
  and (:key is null or m.key = :key)
  and (:event is null or m.event glob :event or m.event glob :event || '.*')
  and (:error is null or instr(lower(d.error), lower(:error)))
  and (:since is null or m.received_at_ms >= :since)
order by d.id desc
limit :limit
"""

_OF_MESSAGE = f"""
{_COLUMNS}
from fp_delivery as d indexed by fp_delivery_message
cross join fp_message as m on m.id = d.message_id
where d.message_id = :message
{_MATCHING}
"""

_OF_KEY = f"""
{_COLUMNS}
from fp_message as m indexed by fp_message_key
cross join fp_delivery as d on d.message_id = m.id
where m.key = :key
{_MATCHING}
"""

_FRESH = f"""
{_COLUMNS}
from fp_delivery as d indexed by fp_delivery_fresh
cross join fp_message as m on m.id = d.message_id
where d.queue = :queue and {FRESH}
{_MATCHING}
"""

_APART = f"""
{_COLUMNS}
from fp_delivery as d indexed by fp_delivery_apart
cross join fp_message as m on m.id = d.message_id
where d.queue = :queue and d.state = 'ready' and {APART}
{_MATCHING}
"""

_SLEEPING = f"""
{_COLUMNS}
from fp_delivery as d indexed by fp_delivery_sleeping
cross join fp_message as m on m.id = d.message_id
where d.queue = :queue and d.state = 'sleeping'
{_MATCHING}
"""

_ENDED = f"""
{_COLUMNS}
from fp_delivery as d indexed by fp_delivery_ended
cross join fp_message as m on m.id = d.message_id
where d.queue = :queue and d.state = :state and d.state in ('dead', 'cancelled')
{_MATCHING}
"""

# Few are leased at a time.
_LEASED = f"""
{_COLUMNS}
from fp_delivery as d indexed by fp_delivery_until
cross join fp_message as m on m.id = d.message_id
where {LEASED} and d.state = 'leased'
{_MATCHING}
"""

_OF_QUEUE = f"""
{_COLUMNS}
from fp_delivery as d indexed by fp_delivery_queue
cross join fp_message as m on m.id = d.message_id
where d.queue = :queue
{_MATCHING}
"""

# A true condition, for the ones that follow.
_ALL = f"""
{_COLUMNS}
from fp_delivery as d
cross join fp_message as m on m.id = d.message_id
where d.id > 0
{_MATCHING}
"""

# Of these states there are indexes for each queue: those queues are asked that have some.
_BY_QUEUE = {
    "ready": ((_FRESH, _APART), "select name from fp_queue where ready > 0"),
    "scheduled": ((_APART,), "select name from fp_queue where scheduled > 0"),
    "sleeping": ((_SLEEPING,), "select name from fp_queue where sleeping > 0"),
    "dead": ((_ENDED,), "select name from fp_queue where dead > 0"),
    "cancelled": ((_ENDED,), "select name from fp_queue where cancelled > 0"),
}

_NO_END = 2**63 - 1

_ENDS = "select min(id), max(id) from fp_delivery"

_FIRST_FROM = "select id, tried_since_ms from fp_delivery where id >= :id order by id limit 1"

# The store's clock may stand a little earlier after a reboot.
_MARGIN_MS = 60_000

_ONE = f"""
{_COLUMNS}
from fp_delivery as d
join fp_message as m on m.id = d.message_id
where d.id = :id
"""

_RESULT = "select message_id, cast(result as blob) from fp_delivery where id = :id"

_MESSAGE = f"""
select
  id, source, key, event, received_at_ms, {KEPT_UNTIL}, cast(headers as blob), body, compressed,
  body_sha256, copy_of, (
    select json_group_array(id) from fp_message as c where c.copy_of = fp_message.id
  ), (
    select json_group_array(fp_unrouted.queue)
    from fp_route
    cross join fp_unrouted on fp_unrouted.queue = fp_route.queue and message_id = fp_message.id
  )
from fp_message
left join fp_body on message_id = id
where id = :id
"""


def deliveries(session: Session, wanted: Filter, limit: int, before: int | None) -> list[Delivery]:
    """Return at most `limit` deliveries, newest first, from those with an id below `before`."""
    given = {
        "state": "ready" if wanted.state == "scheduled" else wanted.state,
        "due_after": session.now_ms() if wanted.state == "scheduled" else None,
        "queue": wanted.queue,
        "source": wanted.source,
        "key": wanted.key,
        "event": None if wanted.event is None else glob(wanted.event),
        "error": wanted.error,
        "since": wanted.since_ms,
        "message": wanted.message,
        "floor": 0 if wanted.since_ms is None else _floor(session, wanted.since_ms - _MARGIN_MS),
        "before": _NO_END if before is None else before,
        "limit": limit,
    }
    if wanted.message is not None:
        rows = session.read(_OF_MESSAGE, given)
    elif wanted.key is not None:
        rows = session.read(_OF_KEY, given)
    elif wanted.state in _BY_QUEUE:
        statements, having = _BY_QUEUE[wanted.state]
        names = [wanted.queue] if wanted.queue else [name for (name,) in session.read(having)]
        rows = [
            row
            for name in names
            for statement in statements
            for row in session.read(statement, {**given, "queue": name})
        ]
        return sorted(map(_delivery, rows), key=lambda each: -each.id)[:limit]
    elif wanted.state == "leased":
        rows = session.read(_LEASED, given)
    else:
        rows = session.read(_ALL if wanted.queue is None else _OF_QUEUE, given)
    return [_delivery(row) for row in rows]


def _floor(session: Session, since_ms: int) -> int:
    """Return an id that no delivery of a message received since then is below.

    Ids rise with the time of their making, and nothing is tried before it is made. What was
    tried long after only makes the answer smaller than it could be.
    """
    ((low, high),) = session.read(_ENDS)
    if low is None:
        return 0
    while low < high:
        middle = (low + high) // 2
        found = session.read(_FIRST_FROM, {"id": middle})
        if found and found[0][1] < since_ms:
            low = found[0][0] + 1
        else:
            high = middle
    return int(low)


def delivery(session: Session, id: int) -> Delivery | None:
    """Return one delivery."""
    rows = session.read(_ONE, {"id": id})
    return _delivery(rows[0]) if rows else None


def content(session: Session, id: int) -> Content | None:
    """Return what a delivery carries and what came of it."""
    for message_id, result in session.read(_RESULT, {"id": id}):
        if (kept := message(session, message_id)) is not None:
            return Content(
                headers=kept.headers,
                body=kept.body,
                result=payload.result(result, operation="content", path=session.path),
                copy_of=kept.copy_of,
                copies=kept.copies,
            )
    return None


def message(session: Session, id: int) -> Stored | None:
    """Return a message as it is kept."""
    for number, source, key, event, received, expires, *kept in session.read(_MESSAGE, {"id": id}):
        headers, packed, compressed, sha256, copy_of, copies, kept_for = kept
        return Stored(
            id=number,
            source=source,
            key=key,
            event=event,
            received_at=received / 1000,
            remembered_until=_seconds(expires),
            headers=payload.headers(headers, operation="content", path=session.path),
            body=None if packed is None else payload.unpack(packed, compressed, sha256),
            copy_of=copy_of,
            copies=tuple(json.loads(copies)),
            kept_for=tuple(json.loads(kept_for)),
        )
    return None


def _delivery(row: Row) -> Delivery:
    facts = dict(zip(_FACTS, row, strict=True))
    facts |= {name: _seconds(facts[name]) for name in _TIMES}
    return Delivery(**facts)


def _seconds(ms: int | None) -> float | None:
    return None if ms is None else ms / 1000
