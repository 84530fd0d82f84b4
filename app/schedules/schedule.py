"""A schedule: the times at which a handler is called, and the message of each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from itertools import count

from msgspec import Struct

from ...store.errors import InvalidInput
from ...store.types.messages.draft import Address, Draft
from ...store.types.schedule import SCHEDULES, Rule
from ...store.types.validate import Duration, milliseconds
from . import cron

EVENT = "tick"

_PERIOD = re.compile(r"every (\d+) s")

_SECOND, _DAY = 1000, 86_400_000

# Of what was missed no more is made up for, so no time beyond comes again.
MOST_MISSED = 1000
MOST_MISSED_MS = 7 * _DAY


class Schedule(Struct, frozen=True):
    """The schedule of one handler, as JSON takes it from one process to another.

    Attributes:
        rule: Its name, which is the handler's, and its times.
        address: Where its messages go.
    """

    rule: Rule
    address: Address

    def times(self, after_ms: int) -> Iterator[int]:
        """Yield the planned times after a moment, in Unix milliseconds of the wall clock."""
        return times(self.rule.spec, self.rule.timezone, after_ms)

    def draft(self, at_ms: int) -> Draft:
        """Return the message of a planned time. Its key is that time."""
        source = source_of(self.rule.name)
        return Draft(
            source, source, key_of(at_ms), EVENT, {}, b"", [self.address], keep_ms=self._keep_ms
        )

    @property
    def _keep_ms(self) -> int:
        period = period_of(self.rule.spec)
        kept = MOST_MISSED_MS if period is None else MOST_MISSED * period * _SECOND
        return max(_DAY, min(MOST_MISSED_MS, kept))


def source_of(name: str) -> str:
    """Return the source of a schedule's messages, which is the scope of their keys."""
    return SCHEDULES + name


def key_of(at_ms: int) -> str:
    """Return a planned time as ISO 8601 in UTC, to the second."""
    return datetime.fromtimestamp(at_ms // _SECOND, UTC).isoformat().replace("+00:00", "Z")


def period(seconds: Duration | None, minutes: Duration | None, hours: Duration | None) -> str:
    """Return the spec of a schedule with a period.

    Raises:
        InvalidInput: It is not a whole number of seconds, from one second to a year.
    """
    given = {"seconds": (seconds, 1), "minutes": (minutes, 60), "hours": (hours, 3600)}
    ms = sum(_ms(value, what, unit) for what, (value, unit) in given.items() if value is not None)
    if not _SECOND <= ms <= 366 * _DAY or ms % _SECOND:
        raise InvalidInput(
            f"a period must be whole seconds, at least 1 and at most 366 days, not {ms / _SECOND:g} s"
        )
    return f"every {ms // _SECOND} s"


def _ms(value: Duration, what: str, unit: int) -> int:
    """Return milliseconds; a timedelta says its unit itself."""
    milliseconds(value, what)
    return milliseconds(value if isinstance(value, timedelta) else value * unit, what)


def period_of(spec: str) -> int | None:
    """Return the seconds of a period; None for a cron expression."""
    found = _PERIOD.fullmatch(spec)
    return None if found is None else int(found[1])


def times(spec: str, timezone: str, after_ms: int) -> Iterator[int]:
    """Yield the times of a spec after a moment.

    Those of a period are its multiples since 1970, so that every pool finds the same.
    """
    after = after_ms // _SECOND
    if (period := period_of(spec)) is not None:
        found: Iterator[int] = count((after // period + 1) * period, period)
    else:
        found = cron.times(spec, _zone(timezone), after)
    return (at * _SECOND for at in found)


@cache
def _zone(name: str) -> tzinfo:
    from zoneinfo import ZoneInfo  # where there are schedules; see cron.py

    return ZoneInfo(name)


def zone_name(name: object) -> str:
    """Return the name of a time zone.

    Raises:
        InvalidInput: No such zone is known here.
    """
    try:
        return str(_zone(name)) if isinstance(name, str) else _unknown(name)
    except (LookupError, ValueError, OSError):  # a name can be a path that is none, or a folder's
        return _unknown(name)


def _unknown(name: object) -> str:
    raise InvalidInput(f"timezone must be the name of a zone, such as Europe/Berlin, not {name!r}")
