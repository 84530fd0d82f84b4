"""The outbox's part of the contract on SQLite: one transaction or one read per verb."""

from __future__ import annotations

from ...rules.failures import breaker
from ...types.messages.draft import Draft
from ...types.messages.receipt import Receipt
from ...types.sending.outgoing import OUTBOX, Admission, Outgoing, Response
from ..file.space import ROW_BYTES
from ..queue.arrival import enqueue
from ..queue.payload import prepare
from ..session import damage
from ..session.session import Session
from . import hosts
from . import outgoing as kept


@damage.tells
class SqliteOutbox:
    """See fencepost.store.engine.queue.outbox.OutboxVerbs; the methods stand in its order."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def send(self, draft: Draft, outgoing: Outgoing) -> Receipt:
        packed = kept.packed(outgoing)
        prepared = prepare(draft, packed)
        grows = len(prepared.body) + len(packed) + ROW_BYTES
        with self._session.write("send", grows=grows) as write:
            return enqueue.enqueue(write, prepared)

    def outgoing(self, message: int) -> Outgoing | None:
        return kept.outgoing(self._session, message)

    def admit(self, host: str, token: str) -> Admission:
        found = hosts.find(self._session, host)
        if found is None:
            return Admission()
        admission = breaker.admit(found, self._session.now_ms())
        if admission.probe or found.probe == token:
            with self._session.write("admit") as write:
                admission = hosts.admit(write, host, token)
        if not admission.wait_ms:
            return admission
        waiting = hosts.waiting(self._session, OUTBOX)
        return Admission(admission.wait_ms + breaker.share_ms(waiting))

    def heard(self, host: str, response: Response, token: str, asked_ms: int = 0) -> None:
        if response == "answered" and hosts.find(self._session, host) is None:
            return
        with self._session.write("heard") as write:
            hosts.heard(write, host, response, token, asked_ms)
