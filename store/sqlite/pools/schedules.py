"""Schedules: their rows, and the pools that enqueue their messages."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from ...engine.pools.schedules import Advanced
from ...types.messages.draft import Draft
from ...types.schedule import KnownSchedule, Removal, Rule, Standing
from ..file.space import ROW_BYTES, again_when_full
from ..locks.live_bytes import Liveness
from ..queue.arrival import enqueue
from ..queue.payload import prepare
from ..queue.sets.enqueue import enqueue_runs
from ..session.damage import tells
from ..session.session import Session, Write

# Before what says so is gone: until when a pool has enqueued.
_SEE = """
update fp_schedule
set seen_at_ms = max(seen_at_ms, :at)
where name in (select schedule from fp_ticker where pool = :pool)
"""

_LEAVE_ALL = "delete from fp_ticker where pool = :pool"

_LEAVE = "delete from fp_ticker where schedule = :name"

_TAKE = "insert into fp_ticker (schedule, pool) values (:name, :pool) on conflict do nothing"

_FIND = "select spec, timezone, missed, last_ms from fp_schedule where name = :name"

_DECLARE = """
insert into fp_schedule (name, spec, timezone, missed, last_ms, seen_at_ms)
values (:name, :spec, :timezone, :missed, :last, :now)
on conflict (name) do update
set spec = excluded.spec, timezone = excluded.timezone, missed = excluded.missed,
  last_ms = excluded.last_ms, seen_at_ms = excluded.seen_at_ms
"""

_MOVE = "update fp_schedule set last_ms = :last, seen_at_ms = :now where name = :name"

# A pool whose row is gone does not run.
_POOLS = "select pool from fp_ticker where schedule = :name and pool in (select id from fp_pool)"

_REMOVE = "delete from fp_schedule where name = :name"

_KNOWN = """
select
  s.name, s.spec, s.timezone, s.missed, s.last_ms, s.seen_at_ms, t.pool, p.seen_at_ms
from fp_schedule as s
left join fp_ticker as t on t.schedule = s.name
left join fp_pool as p on p.id = t.pool
order by s.name, t.pool
"""


@tells
class SqliteSchedules:
    """See fencepost.store.engine.pools.schedules.ScheduleVerbs; the methods stand in its order."""

    def __init__(self, session: Session, alive: Liveness) -> None:
        self._session = session
        self._liveness = alive

    @again_when_full
    def declare(self, pool: int, rules: Sequence[Rule], now_ms: int) -> list[Standing]:
        with self._session.write("declare") as write:
            leave(write, pool, write.now_ms)
            return [_declare(write, pool, rule, now_ms) for rule in rules]

    @again_when_full
    def advance(self, seen: Standing, drafts: Sequence[Draft], last_ms: int) -> Advanced:
        batch = [prepare(draft) for draft in drafts]
        with self._session.write("advance", grows=len(batch) * ROW_BYTES) as write:
            standing = _standing(write, seen.rule.name)
            if standing != seen:
                return Advanced(standing)
            receipts = enqueue_runs(write, batch, partial(enqueue.enqueue, write))
            write.must(_MOVE, {"name": seen.rule.name, "last": last_ms, "now": write.now_ms})
            accepted = sum(receipt.status == "accepted" for receipt in receipts)
            return Advanced(Standing(seen.rule, last_ms), accepted)

    def known(self) -> list[KnownSchedule]:
        found: dict[str, KnownSchedule] = {}
        for (
            name,
            spec,
            timezone,
            missed,
            last_ms,
            seen_ms,
            pool,
            pool_seen_ms,
        ) in self._session.read(_KNOWN):
            before = found.get(name)
            lives = pool_seen_ms is not None and self._liveness.holds_pool(pool)
            pools = () if before is None else before.pools
            seen_at = max(seen_ms, pool_seen_ms or 0) / 1000
            found[name] = KnownSchedule(
                name=name,
                spec=spec,
                timezone=timezone,
                missed=missed,
                last_at=last_ms / 1000,
                pools=(*pools, pool) if lives else pools,
                seen_at=seen_at if before is None else max(before.seen_at, seen_at),
            )
        return list(found.values())

    def remove(self, name: str) -> Removal:
        with self._session.write("remove") as write:
            if _standing(write, name) is None:
                return "unknown"
            pools = [pool for (pool,) in write.run(_POOLS, {"name": name})]
            if any(self._liveness.holds_pool(pool) for pool in pools):
                return "running"
            write.run(_LEAVE, {"name": name})
            write.must(_REMOVE, {"name": name})
            return "removed"


def leave(write: Write, pool: int, at_ms: int) -> None:
    """Have a pool that was there at a moment enqueue for no schedule any more."""
    write.run(_SEE, {"pool": pool, "at": at_ms})
    write.run(_LEAVE_ALL, {"pool": pool})


def _declare(write: Write, pool: int, rule: Rule, now_ms: int) -> Standing:
    last_ms, known = now_ms, _standing(write, rule.name)
    if known is not None and known.rule != rule:
        write.run(_LEAVE, {"name": rule.name})
    if known is not None and known.rule.times == rule.times:
        last_ms = known.last_ms
    row: dict[str, Any] = {
        "name": rule.name,
        "spec": rule.spec,
        "timezone": rule.timezone,
        "missed": rule.missed,
        "last": last_ms,
        "now": write.now_ms,
    }
    write.run(_DECLARE, row)
    write.run(_TAKE, {"name": rule.name, "pool": pool})
    return Standing(rule, last_ms)


def _standing(write: Write, name: str) -> Standing | None:
    for spec, timezone, missed, last_ms in write.run(_FIND, {"name": name}):
        return Standing(Rule(name, spec, timezone, missed), last_ms)
    return None
