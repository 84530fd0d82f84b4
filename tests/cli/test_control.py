"""Steering pools through the store, and looking at workers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from fencepost import Store, connect
from fencepost.store.engine.pools.verbs import PoolVerbs, Report

from .command import Command
from .shown import HOSTILE, ISO, times


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    """An open store, beside the commands that look at it."""
    with connect(str(path)) as opened:
        yield opened


@pytest.fixture
def pools(store: Store) -> PoolVerbs:
    """The part of its engine that the commands speak to."""
    return store.engine.pools


def test_a_scale_is_told_to_the_pools_that_run(pools: PoolVerbs, command: Command) -> None:
    first = command("scale", "8")
    pools.begin(None, 4)
    one, one_auto = command("scale", "6"), command("scale", "auto")
    pools.begin(["mail"], 2)
    pools.tell(pools.begin(None, 9), state="stopping", size=0)
    two, two_auto = command("scale", "0"), command("scale", "auto")

    assert first.out == "no pool is running; the next one starts with 8 workers\n"
    assert one.out == "1 pool follows: 4 -> 6 workers\n"
    assert one_auto.out == "1 pool follows: as it was started\n"
    assert two.out == "2 pools follow: 2, 4 -> 0 workers each\n"
    assert two_auto.out == "2 pools follow: each as it was started\n"
    assert [ended.code for ended in (first, one, one_auto, two)] == [0] * 4


# FP-17
def test_the_scale_is_kept_and_shown(pools: PoolVerbs, command: Command) -> None:
    command("scale", "8")

    assert pools.scale() == 8
    assert command("status", "--json").json()["scale"] == 8
    assert "scale: 8 workers in each pool" in command("status").out
    command("scale", "auto")
    assert pools.scale() is None


def test_a_queue_is_paused_and_resumed(store: Store, command: Command) -> None:
    queue = store.queue("mail")
    queue.enqueue(b"")

    paused = command("pause", "mail")

    assert (paused.code, paused.out) == (0, "paused mail\n")
    assert queue.claim() == []
    assert command("status", "--json").json()["queues"]["mail"]["paused"] is True
    assert "paused" in command("status").out.splitlines()[1]
    resumed = command("resume", "mail")
    assert (resumed.code, resumed.out) == (0, "resumed mail\n")
    assert len(queue.claim()) == 1


# OPS-5
def test_a_queue_that_is_new_starts_paused_and_that_is_said(store: Store, command: Command) -> None:
    unknown = command("resume", "mail")
    paused = command("pause", "mail")

    assert unknown.complains(1)
    assert "no queue mail" in unknown.err
    assert (paused.code, paused.out) == (
        0,
        "paused mail; the queue did not exist and was created as paused\n",
    )
    assert store.stats()["mail"].paused


def test_a_queue_has_a_limit_until_it_has_none(store: Store, command: Command) -> None:
    queue = store.queue("mail")
    queue.enqueue_many({"body": b""} for _ in range(3))

    limited = command("limit", "mail", "1")

    assert (limited.code, limited.out) == (0, "mail: at most 1 at the same time\n")
    assert len(queue.claim(limit=3)) == 1
    assert command("status", "--json").json()["queues"]["mail"]["max_leased"] == 1
    assert command("limit", "maill", "1").out.endswith(
        "; the queue did not exist and was created\n"
    )
    lifted = command("limit", "mail", "none")
    assert (lifted.code, lifted.out) == (0, "mail: no limit\n")
    assert len(queue.claim(limit=3)) == 2
    store.queue("mail", max_leased=9)
    assert command("limit", "mail", "2").out == "mail: at most 2 at the same time\n"
    assert command("limit", "mail", "none").out == (
        "mail: at most 9 at the same time (max_leased of its handler)\n"
    )


def test_workers_are_listed_with_what_they_are_at(
    store: Store, pools: PoolVerbs, command: Command
) -> None:
    pool = pools.begin(None, 2)
    busy, idle = pools.register(pool), pools.register(pool)
    store.queue("mail").enqueue(b"")
    store.engine.queue.claim(["mail"], limit=1, lease_ms=600_000, owner=busy)
    pools.report({busy: Report("busy", 7, 50 * 1024**2)})

    shown = command("workers", "list", "--json").json()
    table = command("workers", "list").out.splitlines()

    assert [row["id"] for row in shown] == [busy, idle]
    row = shown[0]
    assert (row["pool"], row["pid"], row["state"]) == (pool, os.getpid(), "busy")
    assert (row["queue"], row["delivery"], row["handled"]) == ("mail", 1, 7)
    assert row["memory"] == 50 * 1024**2
    assert ISO.fullmatch(row["busy_since"])
    assert shown[1]["busy_since"] is None
    assert table[0].split() == ["pool", "worker", "pid", "state", "on", "for", "handled", "memory"]
    assert "mail d1" in table[1]
    assert "50 MiB" in table[1]
    assert "mail d1" in command("status").out
    assert len(table) == 3


def test_without_workers_the_list_is_empty(store: Store, command: Command) -> None:
    assert command("workers", "list", "--json").json() == []
    assert command("workers", "list").code == 0


# FP-16
def test_a_worker_is_shown_with_what_happened_to_it_also_after_its_end(
    store: Store, pools: PoolVerbs, command: Command
) -> None:
    worker = pools.register(3)
    store.queue("mail").enqueue(b"")
    ((leased,), _) = store.engine.queue.claim(["mail"], limit=1, lease_ms=600_000, owner=worker)
    pools.report({worker: Report("busy", 0, claimed=(leased.hold.id, leased.hold.fence))})
    alive = command("workers", "show", str(worker), "--json").json()
    pools.retire(worker, f"killed {HOSTILE}", kind="killed")

    gone = command("workers", "show", str(worker), "--json").json()
    text = command("workers", "show", str(worker))

    assert (alive["state"], alive["delivery"]) == ("busy", 1)
    assert [event["kind"] for event in alive["events"]] == ["claimed", "ready", "started"]
    assert (gone["id"], gone["pool"], gone["pid"]) == (worker, 3, os.getpid())
    assert gone["state"] == "killed"
    kinds = [event["kind"] for event in gone["events"]]
    assert kinds == ["killed", "lost", "claimed", "ready", "started"]
    assert gone["events"][1]["fence"] == leased.hold.fence
    assert len(times(gone)) == 5
    assert all(ISO.fullmatch(time) for time in times(gone))
    assert "state: killed\n" in text.out
    assert "\x1b" not in text.out
    limited = command("workers", "show", str(worker), "--json", "--limit", "2").json()
    assert len(limited["events"]) == 2


def test_a_worker_that_never_was_is_one_line_and_exit_1(store: Store, command: Command) -> None:
    ended = command("workers", "show", "42")

    assert ended.complains(1)
    assert "42" in ended.err
