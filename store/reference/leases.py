"""Named leases in plain Python: one holder at a time, and a fence against all before."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from contextlib import contextmanager

from ..engine.leases import Displaced, LeaseInfo, NameHold, Taken
from ..engine.ports.clock import Term
from ..errors import LeaseHeld
from .memory import Session, Write
from .once import PlainOnce
from .rows import LeaseRow

_KEPT_MS = 86_400_000


class PlainLeases:
    """See fencepost.store.engine.leases.LeaseVerbs; the methods stand in its order."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.once = PlainOnce(session)

    def acquire(self, name: str, *, owner: str, token: str, ttl_ms: int) -> Taken:
        with self._session.write("acquire", joins=False) as write:
            return _acquire(write, name, owner=owner, token=token, ttl_ms=ttl_ms)

    def renew(self, hold: NameHold, ttl_ms: int) -> Term:
        with self._session.write("renew", joins=False) as write:
            row = _require(write, hold, "renew", write.now)
            until = max(row.until_ms, write.now + ttl_ms)
            write.tables.leases[hold.name] = row._replace(until_ms=until)
            return Term(until, until - write.now)

    @contextmanager
    def fenced(self, hold: NameHold) -> Iterator[Write]:
        with self._session.write("transaction", joins=False) as write:
            _require(write, hold, "transaction", write.now)
            yield write
            # Nobody else could write meanwhile, but time went on.
            if not _was_released(write, hold):
                _require(write, hold, "transaction", self._session.now_ms())

    def release(self, hold: NameHold) -> None:
        with self._session.write("release") as write:
            if not _was_released(write, hold):
                now = self._session.now_ms()
                row = _require(write, hold, "release", now)
                write.tables.leases[hold.name] = row._replace(
                    token=None, settled=hold.token, until_ms=now
                )

    def free(self, name: str) -> bool:
        with self._session.write("free") as write:
            row = write.tables.leases.get(name)
            if row is None or row.token is None or row.until_ms <= write.now:
                return False
            write.tables.leases[name] = row._replace(token=None, until_ms=write.now)
            return True

    def get(self, name: str) -> LeaseInfo | None:
        row = self._session.read().leases.get(name)
        return None if row is None or row.token is None else self._info(name, row)

    def list(self, limit: int) -> builtins.list[LeaseInfo]:
        rows = sorted(self._session.read().leases.items())
        return [self._info(name, row) for name, row in rows if row.token is not None][:limit]

    def _info(self, name: str, row: LeaseRow) -> LeaseInfo:
        return LeaseInfo(
            name,
            row.owner,
            row.fence,
            row.acquired_ms / 1000,
            row.until_ms / 1000,
            row.until_ms > self._session.now_ms(),
        )


def sweep(write: Write) -> int:
    """Forget the leases that ended more than a day ago; return how many."""
    over = [
        name for name, row in write.tables.leases.items() if row.until_ms <= write.now - _KEPT_MS
    ]
    for name in over:
        del write.tables.leases[name]
    return len(over)


def _acquire(write: Write, name: str, *, owner: str, token: str, ttl_ms: int) -> Taken:
    leases, now, until = write.tables.leases, write.now, write.now + ttl_ms
    row = leases.get(name)
    displaced = None
    if row is not None and row.token is not None and row.until_ms > now:
        if row.owner != owner:
            raise LeaseHeld(
                repr(name),
                holder=row.owner,
                expires_at=row.until_ms / 1000,
                retry_after=(row.until_ms - now) / 1000,
                operation="acquire",
                path=write.session.address,
            )
        until = max(row.until_ms, until)
        leases[name] = row._replace(token=token, until_ms=until)
        return Taken(NameHold(name, row.fence, token), owner, Term(until, until - now), None)
    if row is not None and row.token is not None and row.owner != owner:
        displaced = Displaced(row.owner, row.fence, row.until_ms / 1000)
    fence = write.fence(f"name {name}")
    settled = None if row is None else row.settled
    leases[name] = LeaseRow(owner, fence, token, settled, now, until)
    return Taken(NameHold(name, fence, token), owner, Term(until, ttl_ms), displaced)


def _was_released(write: Write, hold: NameHold) -> bool:
    """True when this very lease was released, whoever has the name since."""
    row = write.tables.leases.get(hold.name)
    return row is not None and row.settled == hold.token


def _require(write: Write, hold: NameHold, operation: str, now: int) -> LeaseRow:
    row = write.tables.leases.get(hold.name)
    cause = _cause(row, hold, now)
    if row is None or cause is not None:
        raise write.lost(repr(hold.name), cause or "missing", operation)
    return row


def _cause(row: LeaseRow | None, hold: NameHold, now: int) -> str | None:
    """Say why a lease does not hold; None when it does."""
    if row is None:
        return "missing"
    if (row.fence, row.token) == (hold.fence, hold.token):
        return None if row.until_ms > now else "expired"
    freed = row.fence == hold.fence and row.token is None
    return "released" if freed or row.settled == hold.token else "superseded"
