"""What claims of keys do: in work under a lease, then done, then forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fencepost import KeyConflict, LeaseLost

from .machine import Refused

DAY = 86_400_000

Key = tuple[str, str]


@dataclass(eq=False)
class Worker:
    """A claim as the one who made it has it; times in ms."""

    keys: tuple[Key, ...]
    until: int
    believed_until: int
    lease: int
    keep: int
    fence: int = 0
    holder: str = ""
    refused: bool = False

    def lost(self, now: int) -> bool:
        self.refused = self.refused or now >= self.believed_until
        return self.refused


@dataclass(eq=False)
class Record:
    """What is known of a key."""

    by: Worker
    state: str
    payload: bytes | None
    expires: int
    claimed: int
    result: Any = None
    released_by: Worker | None = None


class Keys:
    """All keys of a store."""

    def __init__(self) -> None:
        self.records: dict[Key, Record] = {}

    def claim(
        self, keys: Sequence[Key], payload: bytes | None, lease: int, keep: int, now: int
    ) -> tuple[str, Any]:
        """Return "claimed", the claim and whose lapsed one it displaced; else why it is not."""
        known = [self.records[key] for key in keys if key in self.records]
        live = [record for record in known if record.expires > now and record.state != "released"]
        if any(None not in (payload, one.payload) and payload != one.payload for one in live):
            raise Refused(KeyConflict)
        for state in ("done", "claimed"):
            for record in live:
                if record.state == state:
                    return state if state == "done" else "in work", record
        lapsed = [record for record in known if record.state == "claimed"]
        displaced = None
        if lapsed:
            displaced = lapsed[0].by.holder, lapsed[0].by.fence, lapsed[0].expires / 1000
        worker = Worker(tuple(keys), now + lease, now + lease, lease, keep)
        for key in keys:
            before = self.records.get(key)
            record = Record(worker, "claimed", payload, now + lease, now)
            # A release stays known until another claim of the key has come to its end.
            record.released_by = None if before is None else before.released_by
            self.records[key] = record
        return "claimed", (worker, displaced)

    def complete(self, worker: Worker, result: Any, now: int) -> None:
        mine = []
        for key in worker.keys:
            record = self.records.get(key)
            if self._holds(worker, key):
                mine.append(key)
            elif not (record and record.by is worker and record.state == "done"):
                raise self._lost(worker, key)
        for key in mine:
            record = self.records[key]
            record.state, record.result, record.expires = "done", result, now + worker.keep
            record.released_by = None

    def release(self, worker: Worker, now: int) -> None:
        mine = []
        for key in worker.keys:
            record = self.records.get(key)
            if self._holds(worker, key):
                mine.append(key)
            elif not (record and record.released_by is worker):
                raise self._lost(worker, key)
        for key in mine:
            record = self.records[key]
            record.state, record.released_by, record.expires = "released", worker, now

    def renew(self, worker: Worker, lease: int | None, now: int) -> int:
        lease = worker.lease if lease is None else lease
        for key in worker.keys:
            if not self._holds(worker, key) or self.records[key].expires <= now:
                worker.refused = True
                raise self._lost(worker, key)
        for key in worker.keys:
            record = self.records[key]
            record.expires = max(record.expires, now + lease)
        # The store says how long it lasts, also where that is longer than what was asked.
        worker.until = worker.believed_until = max(worker.until, record.expires)
        return record.expires

    def sweep(self, now: int) -> int:
        over = [
            key
            for key, record in self.records.items()
            if record.expires <= now - (0 if record.state == "done" else DAY)
        ]
        for key in over:
            del self.records[key]
        return len(over)

    def reboot(self) -> None:
        for record in self.records.values():
            if record.state == "claimed":
                record.expires = 0

    def _holds(self, worker: Worker, key: Key) -> bool:
        record = self.records.get(key)
        return record is not None and record.by is worker and record.state == "claimed"

    def _lost(self, worker: Worker, key: Key) -> Refused:
        record = self.records.get(key)
        if record is None:
            return Refused(LeaseLost, cause="missing")
        if record.by is not worker:
            return Refused(LeaseLost, cause="superseded")
        cause = {"done": "settled", "released": "released", "claimed": "expired"}[record.state]
        return Refused(LeaseLost, cause=cause)
