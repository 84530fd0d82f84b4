"""Messages that handlers wait for: those that have come, and the wake-up by those that come."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ...types.durable.wait import Subject
from ...types.messages.draft import Draft
from ...types.messages.message import Message
from ...types.messages.receipt import Receipt
from ..queue import payload
from ..queue.due import wake
from ..session.session import Session, Write
from .shell_pattern import glob

_LIKE = "(m.event glob :event or m.event glob :event || '.*')"

_COLUMNS = """
select
  m.id, m.source, m.key, m.event, cast(m.headers as blob), body, compressed, m.body_sha256,
  m.received_at_ms, m.copy_of
"""

_OF_KEY = f"""
{_COLUMNS}
from fp_wait_key as k indexed by fp_wait_key_key
cross join fp_message as m on m.id = k.message_id
cross join fp_body as b on b.message_id = m.id
where k.source = :source and k.key = :key and k.message_id > :after
  and m.received_at_ms < :before and {_LIKE}
order by k.message_id
limit :limit
"""

_OF_SOURCE = f"""
{_COLUMNS}
from fp_message as m
cross join fp_body as b on b.message_id = m.id
where m.id > :after and m.source = :source and m.received_at_ms < :before and {_LIKE}
order by m.id
limit :limit
"""

_LAST = "select coalesce(max(id), 0) from fp_message where received_at_ms < :before"

_HAS_WAITERS = """
select 1
from fp_wait indexed by fp_wait_source
where source = :source and answered_at_ms is null
limit 1
"""

# Who is awake looks for itself, and what comes at the deadline or later does not count.
_WAITERS = """
select distinct w.delivery_id
from fp_wait as w indexed by fp_wait_source
cross join fp_delivery as d on d.id = w.delivery_id
where w.source = :source and {key} and w.answered_at_ms is null and d.state = 'sleeping'
  and w.deadline_ms > :now and (:event glob w.event or :event glob w.event || '.*')
"""

_WAITERS_FOR_ANY = _WAITERS.format(key="w.key is null")
_WAITERS_FOR_KEY = _WAITERS.format(key="w.key = :key")

_ADD_KEY = "insert into fp_wait_key (message_id, source, key) values (:id, :source, :key)"


def messages(
    session: Session, subject: Subject, *, before_ms: int, limit: int
) -> tuple[list[Message], int]:
    """Return messages that a wait may be for, and up to which id has been looked."""
    asked = {
        "source": subject.source,
        "event": glob(subject.event),
        "key": subject.key,
        "after": subject.after,
        "before": before_ms,
        "limit": limit,
    }
    ((last,),) = session.read(_LAST, asked)  # first: what comes in between is looked at again
    rows = session.read(_OF_SOURCE if subject.key is None else _OF_KEY, asked)
    found = [_message(session.path, *row) for row in rows]
    return found, found[-1].id if len(found) == limit else max(last, subject.after)


def has_come(write: Write, subject: Subject) -> bool:
    """Return whether a message has come that a wait may be for."""
    asked = {
        "source": subject.source,
        "event": glob(subject.event),
        "key": subject.key,
        "after": subject.after,
        "before": write.now_ms + 1,
        "limit": 1,
    }
    return bool(write.run(_OF_SOURCE if subject.key is None else _OF_KEY, asked))


def arrived(write: Write, drafts: Iterable[Draft], receipts: Sequence[object]) -> None:
    """Wake whoever waits for one of these messages."""
    waited: dict[str, bool] = {}
    for draft, receipt in zip(drafts, receipts, strict=True):
        source = draft.source
        if source is None or not isinstance(receipt, Receipt) or receipt.status != "accepted":
            continue
        if draft.wait_key is not None and receipt.helped is None:
            key = {"id": receipt.message_id, "source": source, "key": draft.wait_key}
            write.must(_ADD_KEY, key)
        if source not in waited:
            waited[source] = bool(write.run(_HAS_WAITERS, {"source": source}))
        if waited[source]:
            _wake(write, source, draft.event, draft.wait_key)


def _wake(write: Write, source: str, event: str, key: str | None) -> None:
    asked = {"source": source, "event": event, "key": key, "now": write.now_ms}
    found = write.run(_WAITERS_FOR_ANY, asked)
    if key is not None:
        found += write.run(_WAITERS_FOR_KEY, asked)
    for (id,) in {tuple(row) for row in found}:
        wake(write, id)


def _message(
    path: str,
    id: int,
    source: str | None,
    key: str | None,
    event: str,
    headers: Any,
    body: bytes,
    compressed: int,
    sha256: bytes,
    received_ms: int,
    copy_of: int | None,
) -> Message:
    return Message(
        id=id,
        source=source,
        key=key,
        event=event,
        headers=payload.headers(headers, operation="wait", path=path),
        body=payload.unpack(body, compressed, sha256),
        received_at=received_ms / 1000,
        copy_of=copy_of,
    )
