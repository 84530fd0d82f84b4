"""App.every: the decorator that calls a handler by the clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, Unpack

from ...store.errors import InvalidInput
from ...store.naming import verbs
from ...store.types.messages.draft import Address
from ...store.types.schedule import MISSED, Missed, Rule
from ...store.types.validate import Duration
from ..handlers.handler import Function, Handler
from ..joins.settings import refuse_joins
from ..settings import Settings
from .cron import expression
from .schedule import Schedule, period, zone_name

F = TypeVar("F", bound=Function)


@verbs
class Scheduled:
    """The decorator for schedules, as a part of `App`."""

    store: str
    _add: Callable[[Function, str | None, Settings], Handler]

    def __init__(self) -> None:
        self.schedules: dict[str, Schedule] = {}

    def every(
        self,
        cron: str | None = None,
        *,
        seconds: Duration | None = None,
        minutes: Duration | None = None,
        hours: Duration | None = None,
        timezone: str | None = None,
        missed: Missed = "once",
        name: str | None = None,
        **settings: Unpack[Settings],
    ) -> Callable[[F], F]:
        """Decorate a handler: the pools of the store enqueue a message for it at each time.

        However many pools run, a time is one message. Its `key` is the planned time in UTC,
        such as "2027-03-01T08:00:00Z", its `event` is "tick", its `source` "schedule/" and the
        handler's name, and its body is empty.

        Args:
            cron: Minute, hour, day of the month, month and weekday, as in
                crontab(5), or "@daily" and the like.
            seconds: In place of a cron expression, a period in whole seconds. The times are its
                multiples since 1970, in UTC.
            minutes: Minutes of the period.
            hours: Hours of the period.
            timezone: The zone of the cron expression; by default "UTC". At a change of DST, what
                would come in the hour that is skipped comes at its end, and what would come
                twice comes once; an expression whose minute or hour begins with "*" follows the
                clock.
            missed: What becomes of times that are over 60 s past while no pool ran. "once": one
                message, for the newest. "each": one for each, oldest first, at most 1,000 and
                of the last 7 days. "skip": none.
            name: The name of the handler and its queue; by default the function's name.
            settings: The settings of `task`. With `max_leased=1` a call waits for the one before
                it.

        Raises:
            InvalidInput: An argument is not usable, or the expression matches no time.
        """
        refuse_joins(settings, "a schedule")
        spec, zone = _checked(cron, (seconds, minutes, hours), timezone)
        if missed not in MISSED:
            raise InvalidInput(f"missed must be one of {', '.join(MISSED)}, not {missed!r}")

        def register(function: F) -> F:
            handler = self._add(function, name, settings)
            if handler.name in self.schedules:
                raise InvalidInput(f"handler {handler.name!r} has two schedules; give one a name=")
            rule = Rule(handler.name, spec, zone, missed)
            self.schedules[handler.name] = Schedule(rule, _address(handler))
            return function

        return register


def _checked(
    cron: str | None,
    given: tuple[Duration | None, Duration | None, Duration | None],
    zone: str | None,
) -> tuple[str, str]:
    """Return a spec and its time zone."""
    if cron is not None and given == (None, None, None):
        return expression(cron), zone_name("UTC" if zone is None else zone)
    if cron is not None or given == (None, None, None):
        raise InvalidInput("every takes a cron expression, or seconds=, minutes= and hours=")
    if zone is not None:
        raise InvalidInput("a period has no timezone: it is the same everywhere")
    return period(*given), "UTC"


def _address(handler: Handler) -> Address:
    return Address(
        handler.name,
        max_attempts=handler.limits.max_attempts,
        retry_for_ms=handler.limits.retry_for_ms,
        at_most_once=handler.limits.at_most_once,
    )
