"""Schedules in the store: who enqueues for one, and that each planned time is one message."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from fencepost import InvalidInput, QueueFull, Store
from fencepost.app.schedules.schedule import Schedule
from fencepost.store.engine.pools.schedules import Advanced
from fencepost.store.types.filter import Filter
from fencepost.store.types.messages.draft import Address
from fencepost.store.types.schedule import KnownSchedule, Missed, Rule, Standing

from ..clock import FakeClock
from ..kits import Kit

NINE = 1_800_000_000_000 // 86_400_000 * 86_400_000 + 9 * 3_600_000
DAY = 86_400_000
RULE = Rule("report", "0 9 * * *", "UTC", "once")


def _schedule(rule: Rule = RULE) -> Schedule:
    return Schedule(rule, Address(rule.name))


def _rule(spec: str = "0 9 * * *", timezone: str = "UTC", missed: Missed = "once") -> Rule:
    return Rule("report", spec, timezone, missed)


def _keys(store: Store) -> list[str | None]:
    return [each.key for each in reversed(store.deliveries(queue="report"))]


def _known(store: Store) -> KnownSchedule:
    (found,) = store.schedules()
    return found


# CRON-5
def test_a_new_schedule_begins_when_it_is_declared_and_a_known_one_where_it_was(
    store: Store,
) -> None:
    pools = store.engine.pools
    pool = pools.begin(["report"], 1)

    assert pools.schedules.declare(pool, [RULE], NINE) == [Standing(RULE, NINE)]
    assert pools.schedules.declare(pool, [RULE], NINE + DAY) == [Standing(RULE, NINE)]


# CRON-5
def test_other_times_begin_when_they_are_declared_and_another_policy_changes_no_time(
    store: Store,
) -> None:
    schedules = store.engine.pools.schedules
    schedules.declare(1, [RULE], NINE)

    (same,) = schedules.declare(1, [_rule(missed="each")], NINE + 5)
    (other,) = schedules.declare(1, [_rule("0 8 * * *", missed="each")], NINE + 10)

    assert (same.last_ms, other.last_ms) == (NINE, NINE + 10)
    assert _known(store).last_at == (NINE + 10) / 1000
    assert schedules.advance(other, [], NINE + 20).accepted == 0


# CRON-3
def test_a_tick_is_a_message_with_its_planned_time_as_key(store: Store) -> None:
    pools = store.engine.pools
    (seen,) = pools.schedules.declare(pools.begin(None, 1), [RULE], NINE - 1)

    answer = pools.schedules.advance(seen, [_schedule().draft(NINE)], NINE)

    assert answer == Advanced(Standing(RULE, NINE), 1)
    (claim,) = store.queue("report").claim()
    message = claim.message
    assert (message.source, message.event, message.body) == ("schedule/report", "tick", b"")
    assert message.key == "2027-01-15T09:00:00Z"
    assert message.received_at == store.now()


# CRON-3
def test_whoever_comes_second_does_nothing_and_is_told_how_it_stands(store: Store) -> None:
    pools = store.engine.pools
    (seen,) = pools.schedules.declare(pools.begin(None, 1), [RULE], NINE - 1)
    pools.schedules.advance(seen, [_schedule().draft(NINE)], NINE)
    before = store.engine.operators.deliveries(Filter(), 9, None)

    again = pools.schedules.advance(seen, [_schedule().draft(NINE)], NINE)

    assert again == Advanced(Standing(RULE, NINE))
    assert store.engine.operators.deliveries(Filter(), 9, None) == before


# CRON-3
def test_a_time_that_has_been_is_no_second_message_though_the_row_was_set_back(
    store: Store,
) -> None:
    schedules, draft = store.engine.pools.schedules, _schedule().draft(NINE)
    (seen,) = schedules.declare(1, [RULE], NINE - 1)
    schedules.advance(seen, [draft], NINE)
    back = schedules.advance(Standing(RULE, NINE), [], NINE - 5).standing
    assert back == Standing(RULE, NINE - 5)

    assert schedules.advance(back, [draft], NINE) == Advanced(Standing(RULE, NINE), 0)
    assert _keys(store) == ["2027-01-15T09:00:00Z"]


# CRON-3
def test_many_pools_that_tick_at_once_make_one_message_of_each_time(kit: Kit, store: Store) -> None:
    """Each is held at the start of a tick until the others are there too."""
    ticks, pools = 50, 4
    together = threading.Barrier(pools)
    times = [NINE + n * DAY for n in range(ticks)]

    def pool(_: int) -> int:
        made = 0
        with kit.open() as opened:
            schedules = opened.engine.pools.schedules
            (seen,) = schedules.declare(opened.engine.pools.begin(None, 1), [RULE], NINE - 1)
            for at in times:
                together.wait(60)
                found = schedules.advance(seen, [_schedule().draft(at)], at)
                made += found.accepted or 0
                assert found.standing is not None
                seen = found.standing
        return made

    with ThreadPoolExecutor(pools) as threads:
        made = sum(threads.map(pool, range(pools)))

    assert made == ticks
    assert _keys(store) == [_schedule().draft(at).key for at in times]


# CRON-3
def test_without_room_for_all_of_them_none_is_enqueued_and_the_row_stays(store: Store) -> None:
    store.queue("report", max_rows=1)
    schedules = store.engine.pools.schedules
    (seen,) = schedules.declare(1, [RULE], NINE - 1)
    drafts = [_schedule().draft(at) for at in (NINE, NINE + DAY)]

    with pytest.raises(QueueFull):
        schedules.advance(seen, drafts, NINE + DAY)

    assert _keys(store) == []
    assert schedules.advance(seen, drafts[:1], NINE) == Advanced(Standing(RULE, NINE), 1)


# CRON-5
def test_a_tick_without_messages_moves_the_schedule_on(store: Store) -> None:
    schedules = store.engine.pools.schedules
    (seen,) = schedules.declare(1, [RULE], NINE - 1)

    assert schedules.advance(seen, [], NINE) == Advanced(Standing(RULE, NINE), 0)
    assert _keys(store) == []


def test_a_tick_of_a_schedule_that_the_store_does_not_know_does_nothing(store: Store) -> None:
    seen = Standing(RULE, NINE - 1)

    assert store.engine.pools.schedules.advance(seen, [_schedule().draft(NINE)], NINE) == Advanced(
        None
    )
    assert _keys(store) == []


# CRON-7
@pytest.mark.parametrize(
    "other",
    [_rule("0 8 * * *"), _rule(timezone="Europe/Berlin"), _rule(missed="each")],
)
def test_the_pool_that_declared_last_wins_and_the_other_is_told_of_its_rule(
    store: Store, other: Rule
) -> None:
    pools = store.engine.pools
    old, new = pools.begin(None, 1), pools.begin(None, 1)
    (seen,) = pools.schedules.declare(old, [RULE], NINE - 1)

    (now,) = pools.schedules.declare(new, [other], NINE - 1)

    assert now == Standing(other, NINE - 1)
    assert _known(store).pools == (new,)
    assert pools.schedules.advance(seen, [_schedule().draft(NINE)], NINE) == Advanced(now)
    assert pools.schedules.advance(now, [_schedule(other).draft(NINE)], NINE).accepted == 1


# CRON-7
def test_pools_with_the_same_rule_enqueue_side_by_side(store: Store) -> None:
    pools = store.engine.pools
    first, second = pools.begin(None, 1), pools.begin(None, 1)

    for pool in (first, second):
        pools.schedules.declare(pool, [RULE], NINE)

    assert _known(store).pools == (first, second)


# CRON-7
def test_a_schedule_that_no_pool_declares_says_since_when(store: Store, clock: FakeClock) -> None:
    pools = store.engine.pools
    first, second = pools.begin(None, 1), pools.begin(None, 1)
    pools.schedules.declare(first, [RULE], NINE)
    clock.advance(10)
    pools.schedules.declare(second, [RULE], NINE)
    clock.advance(10)

    pools.schedules.declare(second, [], NINE)  # a reload without it
    left = store.now()
    assert _known(store).pools == (first,)
    pools.end(first)
    clock.advance(1000)

    assert _known(store) == KnownSchedule(
        "report", "0 9 * * *", "UTC", "once", NINE / 1000, (), left
    )


# CRON-7
def test_a_pool_that_is_gone_was_last_there_when_it_last_reported(
    kit: Kit, store: Store, clock: FakeClock
) -> None:
    opened = kit.open()
    pool = opened.engine.pools.begin(None, 1)
    opened.engine.pools.schedules.declare(pool, [RULE], NINE)
    clock.advance(30)
    opened.engine.pools.tell(pool, state="running", size=1)
    reported = store.now()
    clock.advance(5)
    opened.close()

    seen = [_known(store)]
    store.engine.pools.end(pool, "its process is gone")
    seen.append(_known(store))

    for each in seen:
        assert each.pools == ()
        assert each.seen_at == reported


def test_schedules_are_listed_by_name(store: Store) -> None:
    pools = store.engine.pools
    rules = [Rule(n, "@", "UTC", "skip") for n in "cab"]
    pools.schedules.declare(pools.begin(None, 1), rules, NINE)

    names = [each.name for each in store.schedules()]

    assert all(one < other for one, other in pairwise(names))
    assert len(names) == 3


# CRON-10
def test_a_schedule_that_no_running_pool_has_can_be_removed(store: Store) -> None:
    pools = store.engine.pools
    pool = pools.begin(["report"], 1)
    pools.schedules.declare(pool, [RULE], NINE)
    standing = Standing(RULE, NINE)
    pools.schedules.advance(standing, [_schedule().draft(NINE + DAY)], NINE + DAY)

    assert store.remove_schedule("report") == "running"
    assert _known(store).pools == (pool,)
    pools.end(pool)
    assert store.remove_schedule("report") == "removed"

    assert store.remove_schedule("report") == "unknown"
    assert store.schedules() == []
    assert len(_keys(store)) == 1
    again = pools.begin(["report"], 1)
    assert pools.schedules.declare(again, [RULE], NINE + 9 * DAY) == [
        Standing(RULE, NINE + 9 * DAY)
    ]


# CRON-10
def test_a_pool_whose_process_has_died_does_not_keep_a_schedule(kit: Kit, store: Store) -> None:
    with kit.open() as dying:
        pool = dying.engine.pools.begin(["report"], 1)
        dying.engine.pools.schedules.declare(pool, [RULE], NINE)

    assert store.remove_schedule("report") == "removed"


# CRON-10
def test_a_name_that_cannot_be_a_schedules_is_refused(store: Store) -> None:
    for wrong in ("", "schedule/report", "a\n", None):
        with pytest.raises(InvalidInput):
            store.remove_schedule(wrong)  # type: ignore[arg-type] # None
