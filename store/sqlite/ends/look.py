"""What has become of messages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import itemgetter

from ...errors import StoreCorrupt
from ...rules.durable.ends import speaks
from ...types.durable.ended import Asked, Ended
from ...types.transaction import Row
from ..queue import payload
from ..rows.told import ids
from ..session.session import Session

# Damaged text cannot be read as text.
_LOOK = """
select
  m.id, m.unrouted, coalesce(d.origin, d.queue), d.state, cast(d.result as blob),
  cast(d.error as blob)
from fp_message as m
left join fp_delivery as d on d.message_id = m.id
where m.id in carray(:messages)
order by m.id, d.id
"""


def look(session: Session, asked: Sequence[Asked]) -> list[Ended | StoreCorrupt | None]:
    """Return what has become of each; None of what has not ended."""
    if not asked:
        return []
    messages = sorted({each.message for each in asked})
    rows = session.read(_LOOK, {"messages": ids(messages)})
    found = {id: [row[1:] for row in those] for id, those in groupby(rows, itemgetter(0))}
    return [_ended(session.path, found.get(each.message), each.queue) for each in asked]


def _ended(path: str, rows: Iterable[Row] | None, queue: str | None) -> Ended | StoreCorrupt | None:
    if rows is None:
        return Ended("forgotten")
    (unrouted, *_), *_ = rows = list(rows)
    these = [row[1:] for row in rows if row[2] is not None and queue in (None, row[1])]
    state = speaks([state for _, state, _, _ in these])
    if queue is None and not unrouted and not these:
        return Ended("cancelled")  # it was kept for a route that was off, and discarded
    if queue is None and unrouted:
        return None
    if state is None:
        return None
    result, error = next((result, error) for _, at, result, error in these if at == state)
    try:
        return Ended(
            state,
            payload.result(result, operation="wait", path=path) if state == "done" else None,
            error.decode(errors="replace") if state == "dead" and error is not None else None,
        )
    except StoreCorrupt as damaged:
        return damaged
