"""Cron expressions: the times that match one in a zone, as cron(8) finds them.

No other module knows the library. It is imported where an app has a cron expression, because it
and the zones take 2 MiB of a supervisor. A time that the clock skips at a change of DST comes at
the first moment after it, one that the clock repeats comes once, and "*" follows the clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from itertools import takewhile

from ...store.errors import InvalidInput

# crontab(5) has these names too, and @reboot, which is no time.
_NAMED = {
    "@YEARLY": "0 0 1 1 *",
    "@ANNUALLY": "0 0 1 1 *",
    "@MONTHLY": "0 0 1 * *",
    "@WEEKLY": "0 0 * * 0",
    "@DAILY": "0 0 * * *",
    "@MIDNIGHT": "0 0 * * *",
    "@HOURLY": "0 * * * *",
}

_HALF_HOUR, _HOUR, _DAY = 1800, 3600, 86_400

# The library looks 50 years ahead. The calendar repeats after 28, but for one leap day in a
# century: what matches nothing from here on never does.
_BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)


def expression(value: object) -> str:
    """Return a cron expression as it is stored: five fields in upper case.

    Raises:
        InvalidInput: It is none, or matches no time within 50 years.
    """
    if not isinstance(value, str):
        raise InvalidInput(f"a cron expression must be a str, not {value!r}")
    fields = value.upper().split()
    found = _NAMED.get(fields[0], "") if len(fields) == 1 else " ".join(fields)
    # With six fields, the first for seconds, the library's rules for changes of DST are off.
    if len(found.split()) != 5:
        raise InvalidInput(
            f"a cron expression has five fields (minute, hour, day, month, weekday), or is one of "
            f"{', '.join(_NAMED).lower()}: {value!r}"
        )
    from cronsim import CronSim, CronSimError

    try:
        next(CronSim(found, _BEGINNING))
    except CronSimError as error:
        raise InvalidInput(f"{value!r} is no cron expression: {error}") from error
    except StopIteration:
        raise InvalidInput(f"the cron expression {value!r} matches no day in 50 years") from None
    return found


def times(expression: str, zone: tzinfo, after: int) -> Iterator[int]:
    """Yield the times that match, in Unix seconds, each later than the one before and `after`."""
    last = after
    for at in _matches(expression, zone, after):
        if at > last:  # within an hour that is repeated the library may answer with the first
            yield from _skipped(expression, zone, last, at)
            yield at
            last = at


def _matches(expression: str, zone: tzinfo, after: int) -> Iterator[int]:
    from cronsim import CronSim

    for moment in CronSim(expression, datetime.fromtimestamp(after, zone)):
        yield int(moment.timestamp())


def _skipped(expression: str, zone: tzinfo, last: int, at: int) -> list[int]:
    """Return the times between two others on days on which the clock changes by half an hour.

    From the hour of the change on, the library goes from one half hour to the next but one, and
    finds no match in the first half of the hour at which it stops.
    """
    found = set[int]()
    for day in range(last, at, _DAY):
        end = min(day + _DAY, at)
        if (_offset(zone, end) - _offset(zone, day)) % _HOUR:
            for start in range(day - day % _HALF_HOUR, end, _HALF_HOUR):
                from_here = _matches(expression, zone, start - 1)
                found.update(takewhile(lambda each: each < at, from_here))
    return sorted(each for each in found if each > last)


def _offset(zone: tzinfo, at: int) -> float:
    offset = datetime.fromtimestamp(at, zone).utcoffset()
    assert offset is not None
    return offset.total_seconds()
