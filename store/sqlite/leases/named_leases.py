"""Named leases: one row per name."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from contextlib import contextmanager

from ...engine.leases import Displaced, LeaseInfo, NameHold, Taken
from ...engine.ports.clock import Term
from ...errors import LeaseHeld, LeaseLost
from ...rules import lease_loss
from ...rules.retention import KEEP_EXPIRED_MS
from ..fences import next_fences
from ..file.space import ROW_BYTES, again_when_full, again_when_refused
from ..session.damage import tells, told
from ..session.session import Session, Write
from .once import SqliteOnce

_FIND = """
select owner, fence, token, expires_at_ms
from fp_lease
where name = :name
"""

_TAKE = """
insert into fp_lease (name, owner, fence, token, acquired_at_ms, expires_at_ms)
values (:name, :owner, :fence, :token, :now, :until)
on conflict (name) do update
set owner = excluded.owner, fence = excluded.fence, token = excluded.token,
    acquired_at_ms = excluded.acquired_at_ms, expires_at_ms = excluded.expires_at_ms
where token is null or expires_at_ms <= :now
"""

_ENTER_AGAIN = """
update fp_lease
set token = :token, expires_at_ms = max(expires_at_ms, :until)
where name = :name and fence = :fence and token = :was and expires_at_ms > :now
returning expires_at_ms
"""

HOLDING = "name = :name and fence = :fence and token = :token and expires_at_ms > :now"

_RENEW = f"""
update fp_lease
set expires_at_ms = max(expires_at_ms, :until)
where {HOLDING}
returning expires_at_ms
"""

_REQUIRE = f"select 1 from fp_lease where {HOLDING}"

_RELEASE = f"""
update fp_lease
set token = null, settled_token = :token, expires_at_ms = :now
where {HOLDING}
returning 1
"""

_LOOK = "select fence, token, settled_token from fp_lease where name = :name"

_FREE = """
update fp_lease
set token = null, expires_at_ms = :now
where name = :name and token is not null and expires_at_ms > :now
returning 1
"""

_GET = """
select name, owner, fence, acquired_at_ms, expires_at_ms
from fp_lease
where name = :name and token is not null
"""

_LIST = """
select name, owner, fence, acquired_at_ms, expires_at_ms
from fp_lease
where token is not null
order by name
limit :limit
"""

_SWEEP = """
delete from fp_lease
where name in (
  select name
  from fp_lease
  where expires_at_ms <= :before
  order by expires_at_ms
  limit :limit
)
"""


@tells
class SqliteLeases:
    """See fencepost.store.engine.leases.LeaseVerbs; the methods stand in its order."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.once = SqliteOnce(session)

    def acquire(self, name: str, *, owner: str, token: str, ttl_ms: int) -> Taken:
        # A name that has a row is leased on a disk that is nearly full too: who works off
        # what is stored may need it.
        grows = None if self._session.read(_FIND, {"name": name}) else ROW_BYTES
        # A fence must not be known to anybody before the COMMIT that makes it true.
        with self._session.write("acquire", joins=False, grows=grows) as write:
            return _acquire(write, name, owner=owner, token=token, ttl_ms=ttl_ms)

    @again_when_full
    def renew(self, hold: NameHold, ttl_ms: int) -> Term:
        # Nobody may believe in an expiry that a surrounding transaction rolls back.
        with self._session.write("renew", joins=False) as write:
            rows = write.run(_RENEW, _bind(hold, write.now_ms, until=write.now_ms + ttl_ms))
            if not rows:
                raise _lost(write, hold, "renew")
            return Term(rows[0][0], rows[0][0] - write.now_ms)

    @contextmanager
    def fenced(self, hold: NameHold) -> Iterator[Write]:
        with self._session.write("transaction", joins=False, nests=True) as write:
            with told(write.path, "transaction"):
                if not write.run(_REQUIRE, _bind(hold, write.now_ms)):
                    raise _lost(write, hold, "transaction")
            yield write
            # The write lock kept everybody else out; time went on all the same.
            with told(write.path, "transaction"):
                if not write.run(_REQUIRE, _bind(hold, self._session.now_ms())) and not _released(
                    write, hold
                ):
                    raise _lost(write, hold, "transaction")

    @again_when_full
    def release(self, hold: NameHold) -> None:
        with self._session.write("release") as write:
            # Within a transaction that began long ago, its clock is not the time.
            now = self._session.now_ms()
            if not write.run(_RELEASE, _bind(hold, now)) and not _released(write, hold):
                raise _lost(write, hold, "release")

    @again_when_refused
    def free(self, name: str) -> bool:
        with self._session.write("free") as write:
            return bool(write.run(_FREE, {"name": name, "now": write.now_ms}))

    def get(self, name: str) -> LeaseInfo | None:
        rows = self._session.read(_GET, {"name": name})
        return self._info(*rows[0]) if rows else None

    def list(self, limit: int) -> builtins.list[LeaseInfo]:
        return [self._info(*row) for row in self._session.read(_LIST, {"limit": limit})]

    def _info(self, name: str, owner: str, fence: int, acquired: int, expires: int) -> LeaseInfo:
        live = expires > self._session.now_ms()
        return LeaseInfo(name, owner, fence, acquired / 1000, expires / 1000, live)


def sweep(write: Write, limit: int) -> int:
    """Remove at most `limit` leases that ended more than a day ago; return how many."""
    return write.change(_SWEEP, {"before": write.now_ms - KEEP_EXPIRED_MS, "limit": limit})


def _acquire(write: Write, name: str, *, owner: str, token: str, ttl_ms: int) -> Taken:
    now, until = write.now_ms, write.now_ms + ttl_ms
    displaced = None
    for holder, fence, was, expires in write.run(_FIND, {"name": name}):
        if was is not None and expires > now:
            if holder != owner:
                raise LeaseHeld(
                    repr(name),
                    holder=holder,
                    expires_at=expires / 1000,
                    retry_after=(expires - now) / 1000,
                    operation="acquire",
                    path=write.path,
                )
            hold = NameHold(name, fence, token)
            (until,) = write.one(_ENTER_AGAIN, _bind(hold, now, was=was, until=until))
            return Taken(hold, owner, Term(until, until - now), None)
        if was is not None and holder != owner:
            displaced = Displaced(holder, fence, expires / 1000)
    (fence,) = next_fences(write)
    hold = NameHold(name, fence, token)
    write.must(_TAKE, _bind(hold, now, owner=owner, until=until))
    return Taken(hold, owner, Term(until, ttl_ms), displaced)


def _bind(hold: NameHold, now_ms: int, **others: object) -> dict[str, object]:
    return {"name": hold.name, "fence": hold.fence, "token": hold.token, "now": now_ms, **others}


def _released(write: Write, hold: NameHold) -> bool:
    """True when this very lease was released, whoever has the name since."""
    rows = write.run(_LOOK, {"name": hold.name})
    return bool(rows) and rows[0][2] == hold.token


def _lost(write: Write, hold: NameHold, operation: str) -> LeaseLost:
    found = next(iter(write.run(_LOOK, {"name": hold.name})), None)
    cause = lease_loss.name(fence=hold.fence, token=hold.token, found=found)
    return LeaseLost(
        repr(hold.name),
        cause=cause,
        operation=operation,
        path=write.path,
        store_id=write.store_id,
    )
