"""The times of cron expressions, at every change of the clock in seven zones from 2010 to 2030."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cache
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fencepost import InvalidInput
from fencepost.app.schedules import cron

# Northern, southern, by half an hour, at midnight (two of them until they gave it up), with a day
# that never was, and with the clock set back for a month in which others set it forward.
ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
    "Asia/Tehran",
    "Pacific/Apia",
    "Africa/Casablanca",
)
HOUR, DAY = 3600, 86_400


def unix(text: str) -> int:
    """Return Unix seconds of a time with its offset."""
    return int(datetime.fromisoformat(text).timestamp())


def local(zone: str, at: int) -> str:
    """Return a moment as clocks in a zone show it, with the offset."""
    return datetime.fromtimestamp(at, ZoneInfo(zone)).isoformat(timespec="minutes")


def between(expression: str, zone: str, start: int, end: int) -> list[int]:
    """Return the times after one moment, up to another."""
    return list(takewhile(lambda at: at <= end, cron.times(expression, ZoneInfo(zone), start)))


@cache
def changes(zone: str) -> list[int]:
    """Return the moments of 2010 to 2030 at which the offset of a zone changes."""
    found = []
    for day in range(unix("2010-01-01T00:00Z"), unix("2031-01-01T00:00Z"), DAY):
        low, high = day, day + DAY
        if _offset(zone, low) != _offset(zone, high):
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (
                    (middle, high) if _offset(zone, middle) == _offset(zone, day) else (low, middle)
                )
            found.append(high)
    return found


def _offset(zone: str, at: int) -> float:
    offset = datetime.fromtimestamp(at, ZoneInfo(zone)).utcoffset()
    assert offset is not None
    return offset.total_seconds()


# An expression, a moment, and what comes in the day after it.
TABLE = [
    # The hour is skipped: what would come in it comes once, at its end.
    ("Europe/Berlin", "30 2 * * *", "2026-03-28T12:00+01:00", ["2026-03-29T03:00+02:00"]),
    ("America/New_York", "15,45 2 * * *", "2026-03-07T12:00-05:00", ["2026-03-08T03:00-04:00"]),
    ("Australia/Lord_Howe", "10 2 * * *", "2025-10-04T12:00+10:30", ["2025-10-05T02:30+11:00"]),
    ("America/Sao_Paulo", "0 0 * * *", "2017-10-14T12:00-03:00", ["2017-10-15T01:00-02:00"]),
    ("Asia/Tehran", "0 0 * * *", "2021-03-21T12:00+03:30", ["2021-03-22T01:00+04:30"]),
    # The hour is repeated: what would come twice comes the first time.
    ("Europe/Berlin", "30 2 * * *", "2026-10-24T12:00+02:00", ["2026-10-25T02:30+02:00"]),
    ("America/New_York", "30 1 * * *", "2025-11-01T12:00-04:00", ["2025-11-02T01:30-04:00"]),
    ("Australia/Lord_Howe", "45 1 * * *", "2026-04-04T12:00+11:00", ["2026-04-05T01:45+11:00"]),
    ("America/Sao_Paulo", "30 23 * * *", "2018-02-17T12:00-02:00", ["2018-02-17T23:30-02:00"]),
    # The same, asked within the repeated hour: the first time is past.
    ("Europe/Berlin", "30 2 * * *", "2026-10-25T02:10+01:00", ["2026-10-26T02:30+01:00"]),
    # A day that never was: what would come on it comes when the next begins.
    (
        "Pacific/Apia",
        "0 9 30 12 *",
        "2011-12-29T12:00-10:00",
        ["2011-12-31T00:00+14:00"],
    ),
    # A star in the minute or hour goes on with the clock.
    (
        "Europe/Berlin",
        "*/30 2 * * *",
        "2026-10-24T12:00+02:00",
        [f"2026-10-25T02:{at}" for at in ("00+02:00", "30+02:00", "00+01:00", "30+01:00")],
    ),
    ("Europe/Berlin", "*/30 2 * * *", "2026-03-28T12:00+01:00", []),
    (
        "Australia/Lord_Howe",
        "*/20 5 * * *",
        "2025-10-04T12:00+10:30",
        [f"2025-10-05T05:{minute}+11:00" for minute in ("00", "20", "40")],
    ),
    # Either of the day and the weekday is enough, unless one begins with a star.
    ("UTC", "0 9 13 * 5", "2026-11-12T12:00+00:00", ["2026-11-13T09:00+00:00"]),
    ("UTC", "0 9 14 * 5", "2026-11-12T12:00+00:00", ["2026-11-13T09:00+00:00"]),
    ("UTC", "0 9 */2 * 5", "2026-11-13T12:00+00:00", []),
]


# CRON-1
@pytest.mark.parametrize(("zone", "expression", "start", "expected"), TABLE)
def test_at_changes_of_the_clock_the_times_are_those_of_cron(
    zone: str, expression: str, start: str, expected: list[str]
) -> None:
    found = between(expression, zone, unix(start), unix(start) + DAY + HOUR // 2)

    assert [local(zone, at) for at in found] == expected


FIXED = [(hour, minute) for hour in (0, 1, 2, 3, 23) for minute in (0, 45)]


# CRON-1
@pytest.mark.parametrize("zone", ZONES)
def test_a_time_of_day_comes_once_on_each_day_whatever_the_clock_does(zone: str) -> None:
    for change in changes(zone):
        for hour, minute in FIXED:
            found = between(f"{minute} {hour} * * *", zone, change - 2 * DAY, change + 2 * DAY)

            for at in found:
                moment = datetime.fromtimestamp(at, ZoneInfo(zone))
                assert (moment.hour, moment.minute) == (hour, minute) or at == change
                assert moment.fold == 0
            days = Counter(datetime.fromtimestamp(at, ZoneInfo(zone)).date() for at in found)
            whole = {
                datetime.fromtimestamp(at, ZoneInfo(zone)).date()
                for at in range(change - DAY, change + DAY + 1, HOUR)
            }
            skipped = _offset(zone, change) - _offset(zone, change - 1) >= DAY
            assert {day for day, times in days.items() if times > 1} == (
                {datetime.fromtimestamp(change, ZoneInfo(zone)).date()}
                if skipped and (hour, minute) != (0, 0)
                else set()
            )
            assert whole - days.keys() == set()


STARS: dict[str, Callable[[datetime], bool]] = {
    "*/10 * * * *": lambda now: now.minute % 10 == 0,
    "5 * * * *": lambda now: now.minute == 5,
    "5 */5 * * *": lambda now: now.minute == 5 and now.hour % 5 == 0,
    "*/15 0 * * *": lambda now: now.minute % 15 == 0 and now.hour == 0,
    "*/15 1-4 * * *": lambda now: now.minute % 15 == 0 and 1 <= now.hour <= 4,
    "*/20 5 * * *": lambda now: now.minute % 20 == 0 and now.hour == 5,
}


# CRON-1
@pytest.mark.parametrize("zone", ZONES)
def test_an_expression_with_a_star_matches_whatever_the_clock_shows(zone: str) -> None:
    for change in changes(zone):
        start, end = change - 20 * HOUR, change + 20 * HOUR
        minutes = range(start - start % 60 + 60, end + 1, 60)
        shown = [(at, datetime.fromtimestamp(at, ZoneInfo(zone))) for at in minutes]

        for expression, matches in STARS.items():
            expected = [at for at, now in shown if matches(now)]
            assert between(expression, zone, start, end) == expected


# CRON-1
@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("expression", ["30 2 * * *", "*/20 * * * *", "0 1-4 * * *"])
def test_from_wherever_it_is_asked_the_times_are_the_same_and_go_on(
    zone: str, expression: str
) -> None:
    for change in changes(zone)[-6:]:
        start, end = change - DAY, change + DAY
        once = between(expression, zone, start, end)

        assert once == sorted(set(once))
        for at in range(start, end, 25 * 60):
            following = next(cron.times(expression, ZoneInfo(zone), at))
            assert [following] == [each for each in once if each > at][:1] or following > end


# CRON-1
def test_what_the_library_does_and_is_mended_here_is_what_it_did() -> None:
    """Once one of these fails, what mends it can go."""
    berlin, howe = ZoneInfo("Europe/Berlin"), ZoneInfo("Australia/Lord_Howe")

    def library(expression: str, zone: ZoneInfo, after: str) -> Iterator[str]:
        for moment in CronSim(expression, datetime.fromisoformat(after).astimezone(zone)):
            yield moment.isoformat(timespec="minutes")

    # Asked within the repeated hour, it answers with a moment that is past.
    assert next(library("30 2 * * *", berlin, "2026-10-25T02:10+01:00")) == "2026-10-25T02:30+02:00"
    # A change by half an hour hides the first half of an hour.
    assert next(library("*/20 5 * * *", howe, "2025-10-04T12:00+10:30")) == "2025-10-05T05:40+11:00"
    # A sixth field is seconds, and then a time of day comes twice.
    twice = list(islice(library("0 30 2 * * *", berlin, "2026-10-24T12:00+02:00"), 2))
    assert twice == ["2026-10-25T02:30+02:00", "2026-10-25T02:30+01:00"]


# CRON-2
@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("0  9 * *\tmon-fri", "0 9 * * MON-FRI"),
        ("@hourly", "0 * * * *"),
        ("@Daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@weekly", "0 0 * * 0"),
        ("@monthly", "0 0 1 * *"),
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
        ("0 9 L * *", "0 9 L * *"),
        ("0 9 * * 1#2", "0 9 * * 1#2"),
        ("0 0 29 2 MON#5", "0 0 29 2 MON#5"),
        ("0 9 31 2 1", "0 9 31 2 1"),
    ],
)
def test_an_expression_is_stored_in_one_spelling(given: str, stored: str) -> None:
    assert cron.expression(given) == stored


# CRON-2
@pytest.mark.parametrize(
    "wrong",
    ["", "* * * *", "0 0 9 * * *", "@reboot", "@hourly @daily", "60 * * * *", "0 9 31 2 *", "x", 5],
)
def test_what_is_no_expression_or_never_comes_is_refused(wrong: object) -> None:
    with pytest.raises(InvalidInput):
        cron.expression(wrong)


# CRON-2
@settings(deadline=None, derandomize=True, database=None)
@given(st.text(alphabet="0123456789*/-,LW#MONSAT @\t²x", max_size=24))
@example("0 9 30 2 *")
@example("0 9 L/2 * *")
@example("0 9 * * MON#1/2")
def test_any_text_is_an_expression_or_refused(text: str) -> None:
    try:
        stored = cron.expression(text)
    except InvalidInput:
        return

    found = list(islice(cron.times(stored, ZoneInfo("Europe/Berlin"), 1_800_000_000), 3))
    assert found == sorted(set(found))
    assert cron.expression(stored) == stored
