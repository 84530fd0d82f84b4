"""Outgoing webhooks in plain Python: where each goes, and how the hosts are."""

from __future__ import annotations

from ...types.messages.draft import Draft
from ...types.messages.receipt import Receipt
from ...types.sending.outgoing import OUTBOX, Admission, Outgoing, Response
from ..memory import Session, Write
from ..rows import HostRow
from .arrival import enqueue

_KEEP_MS = 24 * 3600 * 1000
_PROBE_MS = 60 * 1000


class PlainOutbox:
    """See fencepost.store.engine.queue.outbox.OutboxVerbs; the methods stand in its order."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def send(self, draft: Draft, outgoing: Outgoing) -> Receipt:
        with self._session.write("send") as write:
            return enqueue.enqueue(write, draft, outgoing)

    def outgoing(self, message: int) -> Outgoing | None:
        tables = self._session.read("outgoing")
        row = tables.messages.get(message)
        if row is None or row.body is None or row.outgoing is None:
            return None
        for delivery in tables.of_message(message):
            if delivery.queue == OUTBOX:
                until = delivery.tried_since_ms + delivery.limits.retry_for_ms
                return Outgoing(row.outgoing.url, tuple(row.outgoing.secrets), until)
        return None

    def admit(self, host: str, token: str) -> Admission:
        with self._session.write("admit") as write:
            row = write.tables.hosts.get(host)
            if row is None or row.until_ms is None:
                return Admission()
            if row.probe == token:
                return Admission(probe=True)
            if write.now < row.until_ms:
                return Admission(row.until_ms - write.now)
            if row.probe is not None and write.now < row.probe_until_ms:
                return Admission(min(5000, row.probe_until_ms - write.now))
            write.tables.hosts[host] = row._replace(
                probe=token, probe_until_ms=write.now + _PROBE_MS, changed_ms=write.now
            )
            return Admission(probe=True)

    def heard(self, host: str, response: Response, token: str, asked_ms: int = 0) -> None:
        with self._session.write("heard") as write:
            row = write.tables.hosts.get(host, HostRow(0, write.now))
            decides = row.until_ms is None or row.probe == token
            if response == "answered":
                if decides:
                    write.tables.hosts.pop(host, None)
            elif response == "asked to wait" and asked_ms:
                asked_until = write.now + min(asked_ms, 24 * 3600 * 1000)
                until = max(row.until_ms or 0, asked_until)
                opened = row.opened or 1
                write.tables.hosts[host] = HostRow(row.failures + 1, write.now, until, opened)
            elif decides:
                write.tables.hosts[host] = _failed(row, write.now)


def sweep(write: Write) -> int:
    """Delete the hosts that nothing was heard of for a day."""
    before = write.now - _KEEP_MS
    hosts = write.tables.hosts
    old = [name for name, row in hosts.items() if max(row.changed_ms, row.until_ms or 0) < before]
    for name in old:
        del hosts[name]
    return len(old)


def _failed(row: HostRow, now: int) -> HostRow:
    failures = row.failures + 1
    if row.until_ms is None and failures < 5:
        return HostRow(failures, now)
    seconds = [30, 60, 120, 240, 480]
    opened = row.opened + 1
    wait = seconds[opened - 1] if opened <= len(seconds) else 600
    return HostRow(failures, now, now + wait * 1000, opened)
