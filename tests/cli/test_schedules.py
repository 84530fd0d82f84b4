"""Looking at schedules."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fencepost import Store, connect
from fencepost.store.types.schedule import Rule

from .command import Command
from .shown import ISO

RULES = [
    Rule("report", "0 9 * * 1-5", "Europe/Berlin", "once"),
    Rule("beat", "every 300 s", "UTC", "skip"),
    Rule("elsewhere", "0 9 * * *", "Mars/Olympus", "each"),
]


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    """An open store, beside the commands that look at it."""
    with connect(str(path)) as opened:
        yield opened


# CRON-7
def test_schedules_are_listed_with_their_next_times_and_their_pools(
    store: Store, command: Command
) -> None:
    pool = store.engine.pools.begin(None, 1)
    store.engine.pools.schedules.declare(pool, RULES, store.engine.clock.wall_ms())

    rows = command("schedules", "list", "--json").json()
    table = command("schedules", "list").out.splitlines()

    assert [row["name"] for row in rows] == ["beat", "elsewhere", "report"]
    assert set(rows[0]) == {
        *("name", "spec", "timezone", "missed", "last_at", "next_at", "pools", "seen_at"),
    }
    assert [row["pools"] for row in rows] == [[pool]] * 3
    assert all(ISO.fullmatch(rows[n]["next_at"]) for n in (0, 2))
    assert rows[0]["next_at"][17:] == "00.000Z"
    assert rows[2]["next_at"][14:] == "00:00.000Z"
    assert rows[1]["next_at"] is None  # its zone is known elsewhere
    assert table[0].split() == ["name", "spec", "timezone", "missed", "last_at", "next_at", "pools"]
    assert table[3].split()[-1] == str(pool)


# CRON-7
def test_a_schedule_without_a_pool_says_since_when(store: Store, command: Command) -> None:
    pool = store.engine.pools.begin(None, 1)
    store.engine.pools.schedules.declare(pool, RULES[:1], store.engine.clock.wall_ms())
    store.engine.pools.end(pool)

    (row,) = command("schedules", "list", "--json").json()
    table = command("schedules", "list").out.splitlines()

    assert (row["pools"], row["next_at"]) == ([], None)
    assert table[1].endswith(f"none since {row['seen_at']}")


def test_the_messages_of_a_schedule_are_found_by_its_source(store: Store, command: Command) -> None:
    for wrong in ("schedule/", "schedule/../x", "schedules/report"):
        assert command("messages", "list", "--source", wrong).code == 2

    assert command("messages", "list", "--source", "schedule/report", "--json").json() == []


# CRON-10
def test_schedules_that_no_app_has_are_removed(store: Store, command: Command) -> None:
    pool = store.engine.pools.begin(None, 1)
    store.engine.pools.schedules.declare(pool, RULES[:2], store.engine.clock.wall_ms())
    refused = command("schedules", "remove", "report")
    store.engine.pools.end(pool)

    some = command("schedules", "remove", "report", "nobody", "beat")

    assert refused.code == 1
    assert "a running pool enqueues for it" in refused.err
    assert (some.code, some.out) == (1, "removed report\nremoved beat\n")
    assert some.err == "Error: cannot remove nobody: there is no such schedule\n"
    assert command("schedules", "list", "--json").json() == []
    assert command("schedules", "remove").code == 2
