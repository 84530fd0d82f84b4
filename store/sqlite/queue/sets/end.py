"""Ending claims by set: ack and release.

A set is what one call has claimed, or a part of it, so that one token and one distance between
ids and fences prove it all: id, fence and token of each row are in the statement, as in settle.py.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ....engine.queue.claims import Hold
from ....errors import LeaseLost
from ...rows.counters import add
from ...rows.steps import forget
from ...rows.told import tell_ended
from ...session.session import Write
from .. import counters
from ..joins import end as end_group
from ..joins import latest
from ..joins.back import release
from ..joins.end import GroupNote
from . import lanes
from .ids import OnIds
from .note import Note
from .odd import OddSet


class _Set(NamedTuple):
    """What claims have in common that one statement ends."""

    token: str
    offset: int
    queue: str
    keep_ms: int
    result: str | None


# "not indexed": the rows are found by id, also where ANALYZE has made an index look better.
_ACK = OnIds(
    """
update fp_delivery not indexed
set state = 'done', result = :result, error = null, token = null, settled_token = :token,
    lease_until_ms = null, changed_at_ms = :now, expires_at_ms = :now + :keep
where id in :ids and fence = :offset + id and token = :token
  and state = 'leased' and queue = :queue
  and (select keep_body_ms from fp_queue where name = :queue) = 0
""",
    has_subquery=True,
)

_DROP_BODIES = OnIds("delete from fp_body where message_id in :ids")

_RELEASE = OnIds("""
update fp_delivery not indexed
set state = 'ready', attempt = attempt - 1, due_at_ms = null, token = null, settled_token = :token,
    lease_until_ms = null, changed_at_ms = :now
where id in :ids and fence = :offset + id and token = :token
  and state = 'leased' and queue = :queue
""")


def ack_one(write: Write, hold: Hold, result: str | None) -> bool:
    """Mark a delivery done if that is all there is to end; else False, with nothing changed.

    The statements are those of a set. A worker does this for each message that has a transaction
    of its own, so it makes no set of it.
    """
    note = hold.note
    if not isinstance(note, Note):
        return False
    of_one = {
        "first": hold.id,
        "offset": hold.fence - hold.id,
        "token": hold.token,
        "queue": note.queue,
        "now": write.now_ms,
        "keep": note.keep_ms,
        "result": result,
    }
    if write.change(_ACK.one, of_one) != 1:
        return False
    counters.moved(write, note.queue, "leased", "done", note.bytes)
    if note.lane is not None:
        lanes.advance(write, note.queue, {note.lane})
    if hold.steps:
        forget(write, hold.id)
    write.change(_DROP_BODIES.one, {"first": note.message, "last": note.message})
    if write.anybody_waits:
        tell_ended(write, [note.message])
    if hold.counts:
        add(write, [hold.counts])
    return True


def ack_each(write: Write, acks: Sequence[tuple[Hold, str | None]]) -> list[Hold]:
    """Mark deliveries done, each held by its claim; return those that were refused: none.

    Raises:
        OddSet: One is not, or there is more to end than the delivery. Of a single one nothing
            was changed then.
    """
    if len(acks) == 1 and ack_one(write, *acks[0]):
        return []
    messages: list[int] = []
    counted: list[Mapping[str, int]] = []
    groups: list[tuple[Hold, GroupNote | None, str | None]] = []
    for each, holds, notes in _sets(acks, groups):
        if _ACK.change(write, [hold.id for hold in holds], _bind(write, each)) != len(holds):
            raise OddSet
        messages.extend([note.message for note in notes])
        bytes = sum([note.bytes for note in notes])
        counters.moved(write, each.queue, "leased", "done", bytes, len(notes))
        if ended := {note.lane for note in notes if note.lane is not None}:
            lanes.advance(write, each.queue, ended)
        for hold in holds:
            if hold.steps:
                forget(write, hold.id)
            if hold.counts:
                counted.append(hold.counts)
    if messages:
        _DROP_BODIES.change(write, messages, {})
    for group, note, result in groups:
        if note is None:
            _ack_newest(write, group, result)
            continue
        end_group.ack(write, group, note, result)
        messages.extend(note.messages)
        if group.counts:
            counted.append(group.counts)
    if messages:
        tell_ended(write, messages)
    if counted:
        add(write, counted)
    return []


def _ack_newest(write: Write, hold: Hold, result: str | None) -> None:
    try:
        latest.ack(write, hold, result)
    except LeaseLost as lost:  # nothing was changed then
        raise OddSet from lost


def release_each(write: Write, holds: Iterable[Hold]) -> None:
    """Give back deliveries as if they had not been claimed.

    Raises:
        OddSet: One is not held by its claim.
    """
    groups: list[tuple[Hold, GroupNote | None, str | None]] = []
    for each, same, _ in _sets(((hold, None) for hold in holds), groups):
        if _RELEASE.change(write, [hold.id for hold in same], _bind(write, each)) != len(same):
            raise OddSet
        counters.moved(write, each.queue, "leased", "ready", 0, len(same))
        write.wakes = True
    for group, _, _ in groups:
        with contextlib.suppress(LeaseLost):  # nothing was changed then
            release(write, group)


def _sets(
    acks: Iterable[tuple[Hold, str | None]],
    groups: list[tuple[Hold, GroupNote | None, str | None]],
) -> Iterator[tuple[_Set, list[Hold], list[Note]]]:
    """Yield what one statement ends; claims of groups are put aside, into `groups`.

    There None is the note of one of which only the newest was handed over.
    """
    found: dict[tuple[Any, ...], tuple[list[Hold], list[Note]]] = {}
    seen: set[int] = set()
    for hold, result in acks:
        if hold.fence in seen:  # the same claim twice
            raise OddSet
        seen.add(hold.fence)
        note = hold.note
        if not isinstance(note, Note):
            if not isinstance(note, GroupNote) and not hold.latest:
                raise OddSet
            groups.append((hold, note if isinstance(note, GroupNote) else None, result))
            continue
        same = hold.token, hold.fence - hold.id, note.queue, note.keep_ms, result
        if (those := found.get(same)) is None:
            those = found[same] = [], []
        those[0].append(hold)
        those[1].append(note)
    for same, (holds, notes) in found.items():
        yield _Set(*same), holds, notes


def _bind(write: Write, each: _Set) -> dict[str, Any]:
    return {
        "offset": each.offset,
        "token": each.token,
        "queue": each.queue,
        "now": write.now_ms,
        "keep": each.keep_ms,
        "result": each.result,
    }
