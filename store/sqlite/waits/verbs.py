"""The waits' part of the contract on SQLite."""

from __future__ import annotations

import secrets as random
from collections.abc import Sequence
from typing import Any

from ...engine import Hold
from ...errors import LimitExceeded
from ...rules.durable.waits import decide_answer
from ...types.durable.wait import Answered, Place, Secret, Subject, Wait
from ...types.messages.message import Message
from ..file.space import ROW_BYTES, again_when_full
from ..queue.due import wake
from ..queue.holding import require_to_end
from ..session import damage
from ..session.session import Session, Write
from . import messages

_FIND = """
select deadline_ms, answer, answered_at_ms, after_message
from fp_wait
where delivery_id = :delivery and name = :name and occurrence = :occurrence
"""

_COUNT = "select count(*) from fp_wait where delivery_id = :delivery"

_STATE = "select state from fp_delivery where id = :delivery and generation = :generation"

_ANSWER = """
insert into fp_wait (delivery_id, name, occurrence, answer, answered_at_ms)
values (:delivery, :name, :occurrence, :value, :now)
on conflict do update set answer = :value, answered_at_ms = :now where answer is null
"""

_SECRETS = "select id, secret, made_at_ms, retired_at_ms from fp_secret order by id"

_ADD = "insert into fp_secret (id, secret, made_at_ms) values (:id, :secret, :now)"

_RETIRE = """
update fp_secret
set retired_at_ms = :now
where id = :id and retired_at_ms is null and id < (select max(id) from fp_secret)
"""

_MOST_SECRETS = 255
_SECRET_BYTES = 32


@damage.tells
class SqliteWaits:
    """See fencepost.store.engine.durable.waits.WaitVerbs; the methods stand in its order."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def find(self, place: Place) -> Wait | None:
        for row in self._session.read(_FIND, _where(place)):
            return Wait(*row)
        return None

    def count(self, delivery: int) -> int:
        ((found,),) = self._session.read(_COUNT, {"delivery": delivery})
        return int(found)

    def messages(
        self, subject: Subject, *, before_ms: int, limit: int
    ) -> tuple[list[Message], int]:
        return messages.messages(self._session, subject, before_ms=before_ms, limit=limit)

    def is_over(self, hold: Hold, place: Place) -> bool:
        # Behind the lock: an answer that was let in before the deadline has committed.
        with self._session.write("wait", joins=False) as write:
            require_to_end(write, hold, "wait")
            found = _find(write, place)
            if found is None or found.answer is not None or found.deadline_ms is None:
                return False
            return found.deadline_ms <= write.now_ms

    def answer(self, place: Place, value: str) -> Answered:
        @again_when_full
        def transact() -> Answered:
            with self._session.write("resume", grows=ROW_BYTES + len(value)) as write:
                return _answer(write, place, value)

        return transact()

    def secrets(self) -> Sequence[Secret]:
        found = [Secret(*row) for row in self._session.read(_SECRETS)]
        if found:
            return found
        with self._session.write("secrets", joins=False) as write:
            if not write.run(_SECRETS):
                _add(write, 1)
            return [Secret(*row) for row in write.run(_SECRETS)]

    def rotate(self) -> Secret:
        with self._session.write("rotate", joins=False) as write:
            found = write.run(_SECRETS)
            newest = found[-1][0] if found else 0
            if newest >= _MOST_SECRETS:
                raise LimitExceeded(
                    f"a store has had at most {_MOST_SECRETS} secrets",
                    operation="rotate",
                    path=write.path,
                )
            _add(write, newest + 1)
            return Secret(*write.run(_SECRETS)[-1])

    def retire(self, id: int) -> bool:
        with self._session.write("retire", joins=False) as write:
            return bool(write.change(_RETIRE, {"id": id, "now": write.now_ms}))


def _find(write: Write, place: Place) -> Wait | None:
    for row in write.run(_FIND, _where(place)):
        return Wait(*row)
    return None


def _where(place: Place) -> dict[str, Any]:
    return {"delivery": place.delivery, "name": place.name, "occurrence": place.occurrence}


def _answer(write: Write, place: Place, value: str) -> Answered:
    of = {"delivery": place.delivery, "generation": place.generation}
    states = write.run(_STATE, of)
    state = states[0][0] if states else None
    found = _find(write, place)
    said = decide_answer(found, value, state=state, now_ms=write.now_ms)
    if said == "accepted":
        write.must(_ANSWER, {**_where(place), "value": value, "now": write.now_ms})
        if found is not None and state == "sleeping":
            wake(write, place.delivery)
    return said


def _add(write: Write, id: int) -> None:
    new = {"id": id, "secret": random.token_bytes(_SECRET_BYTES), "now": write.now_ms}
    write.must(_ADD, new)
