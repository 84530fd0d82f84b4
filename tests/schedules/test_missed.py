"""Which planned times become messages, and which are made up for later or not at all."""

from __future__ import annotations

from itertools import islice

import pytest

from fencepost import InvalidInput
from fencepost.app.schedules import schedule as schedules
from fencepost.app.schedules.missed import BATCH, Due, due
from fencepost.app.schedules.schedule import Schedule
from fencepost.store.types.messages.draft import Address
from fencepost.store.types.schedule import MISSED, Missed, Rule

SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000
NOW = 1_800_000_000_000 // DAY * DAY + 9 * HOUR  # nine in the morning, in UTC


def _schedule(spec: str, missed: Missed) -> Schedule:
    return Schedule(Rule("report", spec, "UTC", missed), Address("report"))


# CRON-5
@pytest.mark.parametrize("missed", MISSED)
@pytest.mark.parametrize("late", [0, 1, MINUTE])
def test_what_is_at_most_a_minute_late_was_not_missed(missed: Missed, late: int) -> None:
    daily = _schedule("0 9 * * *", missed)

    assert due(daily, NOW - DAY, NOW + late, NOW) == Due([NOW], NOW)


# CRON-5
@pytest.mark.parametrize(
    ("missed", "times"),
    [
        ("once", [NOW]),
        ("each", [NOW - 2 * DAY, NOW - DAY, NOW]),
        ("skip", []),
    ],
)
def test_what_was_missed_comes_once_or_each_or_not(missed: Missed, times: list[int]) -> None:
    now = NOW + MINUTE + 1

    assert due(_schedule("0 9 * * *", missed), NOW - 3 * DAY, now, now) == Due(times, NOW)


# CRON-5
@pytest.mark.parametrize(
    ("missed", "times"),
    [
        ("once", [NOW]),
        ("each", [NOW - 10 * MINUTE, NOW - 5 * MINUTE, NOW]),
        ("skip", [NOW]),
    ],
)
def test_a_time_that_is_on_time_comes_with_or_for_those_that_were_missed(
    missed: Missed, times: list[int]
) -> None:
    every = _schedule("every 300 s", missed)

    assert due(every, NOW - 15 * MINUTE, NOW + SECOND, NOW + SECOND) == Due(times, NOW)


# CRON-5
@pytest.mark.parametrize("missed", MISSED)
def test_a_few_seconds_without_a_pool_miss_nothing(missed: Missed) -> None:
    every = _schedule("every 1 s", missed)

    assert due(every, NOW - 30 * SECOND, NOW, NOW) == Due(
        [NOW - n * SECOND for n in range(29, -1, -1)], NOW
    )


# CRON-4
@pytest.mark.parametrize("missed", ["once", "skip"])
def test_what_is_late_although_a_pool_was_there_comes_once(missed: Missed) -> None:
    now = NOW + 2 * HOUR
    hourly = _schedule("0 * * * *", missed)

    assert due(hourly, NOW, now + 2 * MINUTE, NOW + 1) == Due([now], now)


# CRON-5
@pytest.mark.parametrize("spec", ["every 60 s", "* * * * *"])
def test_each_has_bounds_in_number_and_in_time_and_comes_in_batches(spec: str) -> None:
    minutely, last = _schedule(spec, "each"), NOW - 300 * DAY
    made: list[int] = []
    while last < NOW:
        found = due(minutely, last, NOW, NOW)
        assert 0 < len(found.times) <= BATCH
        made += found.times
        last = found.last_ms

    assert made == [NOW - n * MINUTE for n in range(999, -1, -1)]

    daily = _schedule("0 9 * * *", "each")
    assert due(daily, NOW - 300 * DAY, NOW, NOW).times == [NOW - n * DAY for n in range(6, -1, -1)]


# CRON-5
@pytest.mark.parametrize("missed", MISSED)
@pytest.mark.parametrize("spec", ["0 0 29 2 *", "* * * * *", "0 9 * * *", "every 1 s"])
def test_after_years_the_newest_is_found_without_a_walk_through_all(
    spec: str, missed: Missed
) -> None:
    walked = []

    class Counted(Schedule, frozen=True):
        def times(self, after_ms: int):  # type: ignore[no-untyped-def]
            for at in super().times(after_ms):
                walked.append(at)
                yield at

    counted = Counted(Rule("report", spec, "UTC", missed), Address("report"))
    found = due(counted, NOW - 3000 * DAY, NOW, NOW)

    assert found.last_ms > NOW - 3000 * DAY
    assert len(walked) < 10_000


def test_what_a_change_of_rules_has_left_behind_is_passed_over() -> None:
    for missed in MISSED:
        assert due(_schedule("0 0 1 1 *", missed), NOW - DAY, NOW, NOW) == Due([], NOW)


# CRON-6
def test_a_period_has_its_times_at_multiples_since_the_epoch() -> None:
    for seconds in (1, 300, 7 * 3600):
        found = list(islice(schedules.times(f"every {seconds} s", "UTC", NOW + 1), 3))
        assert [at % (seconds * SECOND) for at in found] == [0, 0, 0]
        assert NOW < found[0] <= NOW + seconds * SECOND


# CRON-3
def test_the_key_of_a_message_is_its_planned_time() -> None:
    draft = _schedule("0 9 * * *", "once").draft(1_900_000_000_000)

    assert draft.key == "2030-03-17T17:46:40Z"
    assert (draft.scope, draft.source, draft.event) == (
        "schedule/report",
        "schedule/report",
        "tick",
    )
    assert draft.body == b""


# CRON-3
@pytest.mark.parametrize(
    ("spec", "days"), [("0 9 * * *", 7), ("every 1 s", 1), ("every 300 s", 300_000 / 86_400)]
)
def test_a_key_is_remembered_as_long_as_its_time_could_come_again(spec: str, days: float) -> None:
    assert _schedule(spec, "each").draft(NOW).keep_ms == days * DAY


# CRON-6
@pytest.mark.parametrize(
    "wrong", ["", "Mars/Olympus", "Europe", "/etc/passwd", "../UTC", "Europe/\x00", 5, None]
)
def test_a_zone_that_is_not_known_is_refused(wrong: object) -> None:
    with pytest.raises(InvalidInput, match="Europe/Berlin"):
        schedules.zone_name(wrong)
