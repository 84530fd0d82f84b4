"""The waits' part of the contract, in memory."""

from __future__ import annotations

import secrets as random
from collections.abc import Sequence

import msgspec

from ...engine import Hold
from ...errors import LimitExceeded
from ...types.durable.step import StepRecord
from ...types.durable.wait import Answered, Place, Secret, Subject, Wait, Wanted
from ...types.messages.message import Message
from ..memory import Session, Write
from ..queues.awaited import matches
from ..queues.claim import message
from ..queues.due import wake
from ..queues.settle import require
from ..rows import GOING

_MOST_SECRETS = 255


class PlainWaits:
    """See fencepost.store.engine.durable.waits.WaitVerbs; the methods stand in its order."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def find(self, place: Place) -> Wait | None:
        return self._session.read("find").waits.get(place[:3])

    def count(self, delivery: int) -> int:
        return sum(each == delivery for each, *_ in self._session.read("count").waits)

    def messages(
        self, subject: Subject, *, before_ms: int, limit: int
    ) -> tuple[list[Message], int]:
        rows = sorted(self._session.read("messages").messages.values(), key=lambda row: row.id)
        found = [
            message(row) for row in rows if row.received_ms < before_ms and matches(row, subject)
        ][:limit]
        last = max((row.id for row in rows if row.received_ms < before_ms), default=0)
        return found, found[-1].id if len(found) == limit else max(last, subject.after)

    def is_over(self, hold: Hold, place: Place) -> bool:
        with self._session.write("wait", joins=False) as write:
            require(write, hold, "wait", done=True)
            found = write.tables.waits.get(place[:3])
            return found is not None and found.answer is None and _is_past(found, write.now)

    def answer(self, place: Place, value: str) -> Answered:
        with self._session.write("resume") as write:
            row, found = (
                write.tables.deliveries.get(place.delivery),
                write.tables.waits.get(place[:3]),
            )
            if row is None or row.state not in GOING or row.generation != place.generation:
                return "gone"
            if found is None:
                write.tables.waits[place[:3]] = Wait(None, value, write.now)
                return "accepted"
            if found.answer is not None:
                return "duplicate" if found.answer == value else "conflict"
            if _is_past(found, write.now):
                return "gone"
            write.tables.waits[place[:3]] = msgspec.structs.replace(
                found, answer=value, answered_at_ms=write.now
            )
            if row.state == "sleeping":
                wake(write, row)
            return "accepted"

    def secrets(self) -> Sequence[Secret]:
        with self._session.write("secrets", joins=False) as write:
            if not write.tables.secrets:
                _add(write)
            return list(write.tables.secrets.values())

    def rotate(self) -> Secret:
        with self._session.write("rotate", joins=False) as write:
            if len(write.tables.secrets) >= _MOST_SECRETS:
                raise LimitExceeded(
                    f"a store has had at most {_MOST_SECRETS} secrets",
                    operation="rotate",
                    path=self._session.address,
                )
            return _add(write)

    def retire(self, id: int) -> bool:
        with self._session.write("retire", joins=False) as write:
            found = write.tables.secrets.get(id)
            if found is None or found.retired_at_ms is not None or id == max(write.tables.secrets):
                return False
            write.tables.secrets[id] = found._replace(retired_at_ms=write.now)
            return True


def begin(write: Write, wanted: Wanted) -> bool:
    """Note that a handler waits; return whether there is already what it waits for."""
    place, deadline_ms, subject = wanted
    found = write.tables.waits.get(place[:3], Wait(None, None))
    if found.deadline_ms is None:
        found = msgspec.structs.replace(found, deadline_ms=deadline_ms)
    write.tables.waits[place[:3]] = found
    if subject is not None:
        write.tables.subjects[place[:3]] = subject
        new = msgspec.structs.replace(write.tables.waits[place[:3]], after=subject.after)
        write.tables.waits[place[:3]] = new
        return any(matches(each, subject) for each in write.tables.messages.values())
    return found.answer is not None


def taken(write: Write, delivery: int, event: StepRecord) -> None:
    """Note that what a handler waits for has come: others of its kind wake it no more."""
    place = delivery, event.name, event.occurrence
    write.tables.subjects.pop(place, None)
    if (found := write.tables.waits.get(place)) is not None:
        write.tables.waits[place] = msgspec.structs.replace(found, answered_at_ms=write.now)


def _is_past(wait: Wait, now: int) -> bool:
    return wait.deadline_ms is not None and wait.deadline_ms <= now


def _add(write: Write) -> Secret:
    id = len(write.tables.secrets) + 1
    new = write.tables.secrets[id] = Secret(id, random.token_bytes(32), write.now, None)
    return new
