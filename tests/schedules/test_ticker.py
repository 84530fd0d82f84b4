"""A pool enqueues each planned time once, whatever other pools and the clock do meanwhile."""

from __future__ import annotations

from contextlib import AbstractContextManager

import apsw
import pytest

from fencepost import Store
from fencepost.store.types.schedule import MISSED, Missed
from fencepost.workers.supervisor.schedules.ticker import Ticker

from ..clock import FakeClock
from ..processes import wait_until
from ..sqlite.inside import ask, held_gate, traced
from .conftest import NINE, Start, due_in, keys, report, run

NINE_KEY = "2027-01-15T09:00:00Z"
HOUR = 3600


# CRON-3
def test_a_time_that_has_come_is_one_message_of_the_pool_that_is_first(
    store: Store, clock: FakeClock, start: Start
) -> None:
    pools = [start(report()) for _ in range(4)]

    for late in (-0.001, 0.001, 1):
        clock.advance((NINE - clock.wall) / 1000 + late)
        for pool in pools:
            pool.look()

    assert keys(store) == [NINE_KEY]


# CRON-3
def test_between_two_times_the_store_is_not_asked_and_the_next_is_known(
    address: str, clock: FakeClock, start: Start
) -> None:
    pool = start(report())
    before = _rows(address)
    with _statements(pool) as statements:
        for _ in range(50):
            assert due_in(pool) == pytest.approx((NINE - clock.wall) / 1000, abs=5)
            clock.advance(60)
            pool.look()

    assert statements == []
    assert _rows(address) == before


# CRON-3
def test_a_tick_is_one_commit(clock: FakeClock, start: Start) -> None:
    pool = start(report("every 60 s", "each"))
    clock.advance(150)

    with _statements(pool) as statements:
        pool.look()

    assert [sql for sql in statements if sql.startswith(("begin", "commit"))] == [
        "begin immediate",
        "commit",
    ]


# CRON-5
@pytest.mark.parametrize(("missed", "days"), [("once", [3]), ("each", [1, 2, 3]), ("skip", [])])
def test_what_is_missed_while_no_pool_runs(
    store: Store, clock: FakeClock, start: Start, missed: Missed, days: list[int]
) -> None:
    start(report(missed=missed))
    clock.advance(72 * HOUR + HOUR // 2)  # half past eight

    pool = start(report(missed=missed))

    assert keys(store) == [f"2027-01-{14 + day}T09:00:00Z" for day in days]
    run(clock, HOUR, pool)
    assert keys(store)[len(days) :] == ["2027-01-18T09:00:00Z"]


# CRON-5
def test_what_is_missed_comes_in_batches_and_one_pool_goes_on_where_another_was(
    store: Store, clock: FakeClock, start: Start
) -> None:
    schedule = report("every 60 s", "each")
    start(schedule)
    clock.advance(250 * 60)

    first = start(schedule)
    assert len(keys(store)) == 100
    assert due_in(first) < 0
    second = start(schedule)
    for pool in (first, second, first, second):
        pool.look()

    assert len(keys(store)) == len(set(keys(store))) == 250
    assert sorted(keys(store)) == keys(store)


# CRON-4
@pytest.mark.parametrize("missed", ["once", "skip"])
def test_what_a_step_forward_skips_comes_once_and_at_once(
    store: Store, clock: FakeClock, start: Start, missed: Missed
) -> None:
    pool = start(report("every 600 s", missed))

    clock.wall += (3 * HOUR - 1) * 1000
    pool.look()

    assert len(keys(store)) == 1
    run(clock, 600, pool)
    assert len(keys(store)) == 2


# CRON-4
def test_with_each_a_step_forward_brings_each(store: Store, clock: FakeClock, start: Start) -> None:
    pool = start(report("every 600 s", "each"))

    clock.wall += 2 * HOUR * 1000
    pool.look()

    assert len(keys(store)) == 12


# CRON-4
@pytest.mark.parametrize("missed", MISSED)
@pytest.mark.parametrize("hours", [1, 2.99])
def test_after_a_step_back_nothing_comes_twice(
    store: Store, clock: FakeClock, start: Start, missed: Missed, hours: float
) -> None:
    pools = [start(report("every 600 s", missed)) for _ in range(2)]
    run(clock, 700, *pools)
    before = keys(store)
    assert len(before) == 1

    clock.wall -= round(hours * HOUR) * 1000
    pools.append(start(report("every 600 s", missed)))
    run(clock, 4 * HOUR, *pools)

    assert keys(store)[:1] == before
    assert keys(store) == sorted(set(keys(store)))
    assert len(keys(store)) == 25 - round(6 * hours)


# CRON-4
@pytest.mark.parametrize("missed", MISSED)
@pytest.mark.parametrize("hours", [3, -3, 24 * 365 * 11, -24 * 365 * 5])
def test_a_correction_counts_at_once_and_nothing_is_made_up_for(
    store: Store, clock: FakeClock, start: Start, missed: Missed, hours: int
) -> None:
    pools = [start(report("every 600 s", missed)) for _ in range(2)]
    run(clock, 600, *pools)
    before = keys(store)

    clock.wall += hours * HOUR * 1000
    for pool in pools:
        pool.look()
    pools.append(start(report("every 600 s", missed)))
    assert keys(store) == before

    run(clock, 600, *pools)
    assert len(keys(store)) == len(before) + 1


# CRON-4
def test_a_boot_in_2038_silences_a_schedule_no_longer_than_it_lasts(
    store: Store, clock: FakeClock, start: Start
) -> None:
    then = clock.wall
    clock.wall = 2**31 * 1000
    pool = start(report())
    run(clock, 24 * HOUR, pool)
    assert len(keys(store)) == 1

    clock.wall = then
    run(clock, 2 * HOUR, start(report()))

    assert keys(store)[1:] == [NINE_KEY]


# CRON-4
def test_a_pool_that_was_stopped_for_long_has_not_been_there(
    store: Store, clock: FakeClock, start: Start
) -> None:
    pool = start(report("every 600 s", "skip"))

    clock.advance(3700)
    pool.look()

    assert keys(store) == []


# CRON-4
def test_a_pause_between_the_two_clocks_is_no_step(
    store: Store, clock: FakeClock, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = start(report())
    reads = [0]

    def paused() -> int:
        wall_ms = clock.wall
        if not reads[0]:
            clock.advance(5 * HOUR)  # the process was stopped here
        reads[0] += 1
        return wall_ms

    monkeypatch.setattr(pool._engine.clock, "wall_ms", paused)
    pool.look()

    assert reads[0] > 1
    assert keys(store) == [NINE_KEY]


# CRON-5
@pytest.mark.parametrize("missed", ["once", "skip"])
def test_what_the_store_could_not_take_comes_once_it_can(
    store: Store,
    address: str,
    clock: FakeClock,
    start: Start,
    missed: Missed,
    capfd: pytest.CaptureFixture[str],
) -> None:
    pool = start(report("every 600 s", missed))
    with held_gate(address):
        run(clock, 1200, pool)
        assert keys(store) == []
        assert 0 < due_in(pool) <= 1
        pool._again_at = 0.0
        pool.look()

    def comes() -> bool:
        pool.look()
        return keys(store) != []

    wait_until(comes, "the schedule goes on")
    assert len(keys(store)) == 1
    assert capfd.readouterr().err.count("cannot enqueue for schedules") == 1


# CRON-8
def test_a_schedule_waits_for_room_in_its_queue_and_says_so_once(
    store: Store, clock: FakeClock, start: Start, capfd: pytest.CaptureFixture[str]
) -> None:
    store.queue("report", max_rows=1).enqueue(b"in the way")
    pool, other = start(report()), start(report(name="other"))
    run(clock, HOUR, pool, other)
    assert keys(store, "other") == [NINE_KEY]
    assert keys(store) == [""]

    store.queue("report").claim()[0].ack()

    def comes() -> bool:
        pool.look()
        return NINE_KEY in keys(store)

    wait_until(comes, "there is room")
    assert capfd.readouterr().err.count("its queue is full") == 1


# CRON-7
def test_an_older_pool_with_another_rule_stops_and_says_so_once(
    store: Store, clock: FakeClock, start: Start, capfd: pytest.CaptureFixture[str]
) -> None:
    old, same = start(report()), start(report(name="same"))
    new = start(report("0 8 * * *"))

    run(clock, 72 * HOUR, old, new, same)

    assert keys(store) == [f"2027-01-{day}T08:00:00Z" for day in (16, 17, 18)]
    assert len(keys(store, "same")) == 3
    assert capfd.readouterr().err.count("another pool has declared this schedule") == 1


# CRON-7
def test_a_pool_whose_row_is_missing_declares_again_and_takes_back_no_other(
    store: Store, address: str, clock: FakeClock, start: Start
) -> None:
    old, new = start(report(), report(name="other")), start(report("0 8 * * *"))
    run(clock, 2 * HOUR, old, new)
    for table in ("fp_ticker where schedule", "fp_schedule where name"):
        ask(address, f"delete from {table} = 'other'", flags=apsw.SQLITE_OPEN_READWRITE)  # noqa: S608

    run(clock, 48 * HOUR, old, new)

    assert [(each.name, each.spec) for each in store.schedules()] == [
        ("other", "0 9 * * *"),
        ("report", "0 8 * * *"),
    ]
    assert keys(store)[-1:] == ["2027-01-17T08:00:00Z"]
    assert keys(store, "other") == [NINE_KEY, "2027-01-17T09:00:00Z"]


# CRON-7
def test_a_reload_follows_the_schedules_of_the_new_code(
    store: Store, clock: FakeClock, start: Start
) -> None:
    pool = start(report(), report(name="gone"))

    pool.follow([report("0 9 * * 1-5"), report(name="new")])
    run(clock, 73 * HOUR, pool)

    assert keys(store) == [NINE_KEY, "2027-01-18T09:00:00Z"]
    assert len(keys(store, "new")) == 4
    assert keys(store, "gone") == []
    assert {each.name: bool(each.pools) for each in store.schedules()} == {
        "gone": False,
        "new": True,
        "report": True,
    }


def test_a_pool_without_schedules_asks_nothing(start: Start) -> None:
    pool = start()
    with _statements(pool) as statements:
        pool.look()
        pool.follow([])
        pool.look()

    assert statements == []
    assert due_in(pool) == float("inf")


def _rows(address: str) -> list[object]:
    return [ask(address, "select * from fp_schedule"), ask(address, "select * from fp_ticker")]


def _statements(pool: Ticker) -> AbstractContextManager[list[str]]:
    return traced(Store(pool._engine))
