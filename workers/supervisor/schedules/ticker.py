"""Enqueues the messages of schedules when they are due, whichever pool is first."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from ....app.schedules.missed import due
from ....app.schedules.schedule import Schedule, key_of
from ....log.log import log
from ....store.engine import Engine
from ....store.errors import FencepostError, QueueFull
from ....store.types.schedule import Standing
from ..damage import Damage
from .clocks import CORRECTION_MS, Clocks

_AGAIN_SECONDS = 1.0


@dataclass(slots=True)
class _Followed:
    """A schedule that this pool enqueues for.

    Attributes:
        next_ms: The first planned time that is not dealt with; None for never again.
        corrected: The clock was set, and the store was not told.
        again_at: time.monotonic() before which its queue is taken for full.
    """

    schedule: Schedule
    standing: Standing
    next_ms: int | None
    corrected: bool = False
    again_at: float = 0.0

    def is_corrected(self, wall_ms: int) -> bool:
        """True if it goes on from now: what is between is neither made up for nor waited for."""
        return self.corrected or self.standing.last_ms - wall_ms >= CORRECTION_MS

    def is_due(self, wall_ms: int) -> bool:
        """True if there is a planned time to deal with."""
        is_over = self.next_ms is not None and self.next_ms <= wall_ms
        return is_over and time.monotonic() >= self.again_at


class Ticker:
    """Follows the schedules of one pool; None for a pool without workers.

    No two pools have to agree: each asks the store to move a schedule on from where it saw it.
    Between two times nothing is asked.
    """

    def __init__(
        self, engine: Engine, pool: int | None, damage: Damage, schedules: Sequence[Schedule]
    ) -> None:
        self._engine = engine
        self._pool = pool
        self._damage = damage
        self._clocks = Clocks(engine.clock)
        self._followed: dict[str, _Followed] = {}
        self._again_at = 0.0
        self._fails = False  # the log has said so
        self._schedules: Sequence[Schedule] = ()
        self._declared = True
        self.follow(schedules)

    @property
    def due(self) -> float:
        """time.monotonic() at which to look again at the latest."""
        now, wall_ms = time.monotonic(), self._engine.clock.wall_ms()
        times = [
            max(each.again_at, now + (each.next_ms - wall_ms) / 1000)
            for each in self._followed.values()
            if each.next_ms is not None
        ]
        return max(self._again_at, min(times, default=float("inf")) if self._declared else now)

    def follow(self, schedules: Sequence[Schedule]) -> None:
        """Enqueue for these schedules from now on, and for no others."""
        if self._pool is not None and (schedules or self._schedules):
            self._schedules, self._declared = list(schedules), False

    def look(self) -> None:
        """Enqueue what is due."""
        if not self._schedules and self._declared:
            return
        if self._clocks.look():
            for each in self._followed.values():
                each.corrected = True
        if time.monotonic() < self._again_at:
            return
        try:
            if not self._declared:
                self._declare()
            for each in list(self._followed.values()):
                self._look_at(each)
        except FencepostError as error:
            if not self._damage.met(error) and not self._fails:
                log.warning("cannot enqueue for schedules", error=str(error))
            self._fails = True
            self._again_at = time.monotonic() + _AGAIN_SECONDS
        else:
            self._fails = False

    def _declare(self) -> None:
        assert self._pool is not None
        rules = [each.rule for each in self._schedules]
        standings = self._engine.pools.schedules.declare(self._pool, rules, self._clocks.wall_ms)
        self._followed = {
            schedule.rule.name: _Followed(schedule, standing, _next(schedule, standing))
            for schedule, standing in zip(self._schedules, standings, strict=True)
        }
        self._declared = True

    def _look_at(self, each: _Followed) -> None:
        wall_ms = self._clocks.wall_ms
        if each.is_corrected(wall_ms):
            self._advance(each, (), wall_ms)
        elif each.is_due(wall_ms):
            last_ms, watched_ms = each.standing.last_ms, self._clocks.watched_ms
            self._advance(each, *due(each.schedule, last_ms, wall_ms, watched_ms))

    def _advance(self, each: _Followed, times: Sequence[int], last_ms: int) -> None:
        rule, schedule = each.schedule.rule, each.schedule
        drafts = [schedule.draft(at) for at in times]
        try:
            found = self._engine.pools.schedules.advance(each.standing, drafts, last_ms)
        except QueueFull:
            if not each.again_at:
                log.warning("a schedule waits: its queue is full", schedule=rule.name)
            each.again_at = time.monotonic() + _AGAIN_SECONDS
            return
        if found.standing is None:
            self._declared = False
        elif found.standing.rule != rule:
            self._give_up(rule.name, found.standing)
        else:
            each.standing, each.next_ms = found.standing, _next(schedule, found.standing)
            each.corrected, each.again_at = False, 0.0
        if found.accepted:
            for at in times:
                log.info("enqueued by schedule", schedule=rule.name, key=key_of(at))

    def _give_up(self, name: str, standing: Standing) -> None:
        """Leave a schedule to the pool that has declared it otherwise since."""
        del self._followed[name]
        self._schedules = [each for each in self._schedules if each.rule.name != name]
        log.warning(
            "another pool has declared this schedule otherwise: this one no longer enqueues for it",
            schedule=name,
            spec=standing.rule.spec,
            timezone=standing.rule.timezone,
            missed=standing.rule.missed,
        )


def _next(schedule: Schedule, standing: Standing) -> int | None:
    return next(schedule.times(standing.last_ms), None)
