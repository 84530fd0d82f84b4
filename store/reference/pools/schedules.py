"""Schedules in plain Python: how far each is, and the pools that enqueue its messages."""

from __future__ import annotations

from collections.abc import Sequence

from ...engine.pools.schedules import Advanced
from ...types.messages.draft import Draft
from ...types.schedule import KnownSchedule, Removal, Rule, Standing
from ..memory import Session, Write
from ..queues.arrival import enqueue
from ..rows import ScheduleRow
from ..tables import Tables


class PlainSchedules:
    """See fencepost.store.engine.pools.schedules.ScheduleVerbs; the methods stand in its order."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def declare(self, pool: int, rules: Sequence[Rule], now_ms: int) -> list[Standing]:
        with self._session.write("declare") as write:
            leave(write, pool, write.now)
            return [_declare(write, pool, rule, now_ms) for rule in rules]

    def advance(self, seen: Standing, drafts: Sequence[Draft], last_ms: int) -> Advanced:
        with self._session.write("advance") as write:
            name = seen.rule.name
            row = write.tables.schedules.get(name)
            if row is None or row.standing != seen:
                return Advanced(None if row is None else row.standing)
            receipts = [enqueue.enqueue(write, draft) for draft in drafts]
            standing = Standing(seen.rule, last_ms)
            write.tables.schedules[name] = row._replace(standing=standing, seen_ms=write.now)
            return Advanced(standing, sum(receipt.status == "accepted" for receipt in receipts))

    def known(self) -> list[KnownSchedule]:
        tables = self._session.read("known")
        running = self._running(tables)
        found = []
        for name, row in sorted(tables.schedules.items()):
            pools = {id: tables.pools[id] for id in sorted(row.pools) if id in tables.pools}
            rule, last_ms = row.standing.rule, row.standing.last_ms
            found.append(
                KnownSchedule(
                    name=name,
                    spec=rule.spec,
                    timezone=rule.timezone,
                    missed=rule.missed,
                    last_at=last_ms / 1000,
                    pools=tuple(id for id in pools if id in running),
                    seen_at=max([row.seen_ms, *(pool.seen_ms for pool in pools.values())]) / 1000,
                )
            )
        return found

    def remove(self, name: str) -> Removal:
        with self._session.write("remove") as write:
            row = write.tables.schedules.get(name)
            if row is None:
                return "unknown"
            if row.pools & self._running(write.tables):
                return "running"
            del write.tables.schedules[name]
            return "removed"

    def _running(self, tables: Tables) -> set[int]:
        openings = self._session.memory.openings
        return {id for id, pool in tables.pools.items() if pool.opening in openings}


def leave(write: Write, pool: int, at: int) -> None:
    """Have a pool that was there at a moment enqueue for no schedule any more."""
    for name, row in write.tables.schedules.items():
        if pool in row.pools:
            left, seen_ms = row.pools - {pool}, max(row.seen_ms, at)
            write.tables.schedules[name] = row._replace(pools=left, seen_ms=seen_ms)


def _declare(write: Write, pool: int, rule: Rule, now_ms: int) -> Standing:
    known = write.tables.schedules.get(rule.name)
    standing = Standing(rule, now_ms)
    if known is not None and known.standing.rule.times == rule.times:
        standing = Standing(rule, known.standing.last_ms)
    stay = known.pools if known is not None and known.standing.rule == rule else frozenset()
    write.tables.schedules[rule.name] = ScheduleRow(standing, stay | {pool}, write.now)
    return standing
