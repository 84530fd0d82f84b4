"""Looking at deliveries, one by one or in a list."""

from __future__ import annotations

import json

from ..message import Content, Delivery
from ..transaction import Row
from . import bodies, stored
from .door import Door

_ROWS = """
select
  d.id, d.message_id, d.queue, m.source, m.key, m.event, d.state, d.attempt, d.max_attempts,
  d.fence, d.priority, d.lane, d.error, m.received_at_ms, d.due_at_ms,
  case d.state when 'leased' then d.lease_until_ms end,
  case d.state when 'leased' then d.holder_pid end, d.crashes
from fp_delivery as d
join fp_message as m on m.id = d.message_id
"""

_NEWEST = " order by d.id desc limit :limit"

# One statement for each question: a condition that may be absent would cost the index.
_LIST = {
    (False, False): _ROWS + "where d.id < :before" + _NEWEST,
    (True, False): _ROWS + "where d.id < :before and d.state = :state" + _NEWEST,
    (False, True): _ROWS + "where d.id < :before and d.queue = :queue" + _NEWEST,
    (True, True): _ROWS
    + "where d.id < :before and d.state = :state and d.queue = :queue"
    + _NEWEST,
}

_NO_END = 2**63 - 1

_ONE = _ROWS + "where d.id = :id"

_CONTENT = """
select
  cast(m.headers as blob), b.body, b.compressed, m.body_sha256, cast(d.result as blob), m.copy_of,
  (select json_group_array(id) from fp_message where copy_of = m.id)
from fp_delivery as d
join fp_message as m on m.id = d.message_id
left join fp_body as b on b.message_id = m.id
where d.id = :id
"""


def deliveries(
    door: Door, state: str | None, queue: str | None, limit: int, before: int | None
) -> list[Delivery]:
    """Return at most `limit` deliveries, newest first, from those with an id below `before`."""
    statement = _LIST[state is not None, queue is not None]
    bounds = {"limit": limit, "before": _NO_END if before is None else before}
    rows = door.read(statement, {"state": state, "queue": queue, **bounds})
    return [_delivery(row) for row in rows]


def delivery(door: Door, id: int) -> Delivery | None:
    """Return one delivery."""
    rows = door.read(_ONE, {"id": id})
    return _delivery(rows[0]) if rows else None


def content(door: Door, id: int) -> Content | None:
    """Return what a delivery carries and what came of it."""
    for headers, packed, compressed, sha256, result, copy_of, copies in door.read(
        _CONTENT, {"id": id}
    ):
        where = {"operation": "content", "path": door.path}
        return Content(
            headers=stored.headers(headers, **where),
            body=None if packed is None else bodies.unpack(packed, compressed, sha256),
            result=stored.result(result, **where),
            copy_of=copy_of,
            copies=tuple(json.loads(copies)),
        )
    return None


def _delivery(row: Row) -> Delivery:
    received, due, until, *rest = row[13:]
    facts = (*row[:13], received / 1000, _seconds(due), _seconds(until), *rest)
    return Delivery(*facts)


def _seconds(ms: int | None) -> float | None:
    return None if ms is None else ms / 1000
