"""Upkeep of a plain store: what has expired goes, and the tables are checked."""

from __future__ import annotations

from collections.abc import Callable

from ..engine.upkeep import Tick
from ..errors import StoreBusy, Unsupported
from ..types.probe import ProbeReport, ProbeStep
from . import leases, namespaces, once
from .memory import Session, Write
from .pools import events
from .queues import outbox
from .queues.changes import forget
from .rows import GOING
from .tables import Tables

_PATIENCE_SECONDS = 0.1


class PlainUpkeep:
    """See fencepost.store.engine.upkeep.UpkeepVerbs; the methods stand in its order."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def ping(self) -> None:
        self._session.read("ping")

    def probe(self) -> ProbeReport:
        self._session.check("probe")
        return ProbeReport((ProbeStep("memory", True, "the store is in memory"),))

    def integrity(self) -> ProbeStep:
        wrong = broken(self._session.read())
        return ProbeStep("integrity", not wrong, "; ".join(wrong) or "ok")

    def audit(self) -> list[ProbeStep]:
        return [self.integrity()]

    def sweep(self) -> dict[str, int]:
        return {kind: self._sweep(kind, self._session.busy_seconds) for kind in _SWEEPERS}

    def tick(self) -> Tick | None:
        if not self._session.check_leads():
            return None
        removed: dict[str, int] = {}
        try:
            for kind in _SWEEPERS:
                removed[kind] = self._sweep(kind, _PATIENCE_SECONDS)
        except StoreBusy:
            return Tick("failed", removed, ())
        return Tick("swept" if any(removed.values()) else "nothing to do", removed, ())

    def backup(self, dest: str) -> str:
        raise Unsupported("backup", "plain", instead="it is in memory, and ends with the process")

    def _sweep(self, kind: str, patience: float) -> int:
        with self._session.write("sweep", joins=False, patience=patience) as write:
            return _SWEEPERS[kind](write)


def _sweep_messages(write: Write) -> int:
    over = [
        id
        for id, row in write.tables.messages.items()
        if row.expires_ms is not None and row.expires_ms <= write.now
    ]
    return sum(forget(write, id) for id in over)


def _sweep_bodies(write: Write) -> int:
    over = [
        (id, row)
        for id, row in write.tables.messages.items()
        if row.body_until_ms is not None and row.body_until_ms <= write.now
    ]
    for id, row in over:
        write.tables.messages[id] = row._replace(body=None, body_until_ms=None)
    return len(over)


_SWEEPERS: dict[str, Callable[[Write], int]] = {
    "messages": _sweep_messages,
    "bodies": _sweep_bodies,
    "entries": namespaces.sweep,
    "keys": once.sweep,
    "leases": leases.sweep,
    "hosts": outbox.sweep,
    "ears": lambda _: 0,  # they end with their process
    "events": events.sweep,
}


def broken(tables: Tables) -> list[str]:
    """Return what is not as it must be between two transactions."""
    wrong = []
    for lane, id in tables.heads.items():
        head = tables.deliveries.get(id)
        if head is None or head.in_lane != lane or not (head.state in GOING or head.parked):
            wrong.append(f"the head of lane {lane} is {head}")
    for row in tables.deliveries.values():
        head = tables.deliveries.get(tables.heads.get(row.in_lane or ("", ""), 0), row)
        goes_along = (head.state, head.fence) == ("leased", row.fence)
        if row.state == "leased" and row.in_lane and not goes_along:
            wrong.append(f"{row} is leased and not the head of its lane")
        if row.message not in tables.messages:
            wrong.append(f"{row} has no message")
        elif row.state in GOING and tables.messages[row.message].body is None:
            wrong.append(f"{row} has no body")
        if row.state in GOING and tables.messages[row.message].expires_ms is not None:
            wrong.append(f"{row} is live, and its message will be forgotten")
    for queue, id in tables.kept:
        if queue not in tables.routes or tables.messages[id].route != "kept":
            wrong.append(f"message {id} is kept for {queue}, whose route is on")
    for row_of in tables.messages.values():
        if row_of.route == "kept" and (row_of.expires_ms is not None or row_of.body is None):
            wrong.append(f"{row_of} is kept, and will be forgotten")
    for id in {*tables.steps, *(delivery for delivery, _, _ in tables.waits)}:
        of = tables.deliveries.get(id)
        if of is None or of.state in ("done", "cancelled"):
            wrong.append(f"steps are recorded of {of or id}")
    for at, space in tables.spaces.items():
        if space.max_entries is not None and len(tables.entries[at]) > space.max_entries:
            wrong.append(f"namespace {at} is over its cap")
    return wrong
