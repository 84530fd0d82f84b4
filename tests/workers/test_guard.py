"""Whom the supervisor kills because nobody could renew their lease."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import cast

import pytest

from fencepost import Store
from fencepost.store.engine import Hold
from fencepost.workers.process.process import Incarnation
from fencepost.workers.process.shared_page import Page
from fencepost.workers.supervisor.deadlines import Guard
from fencepost.workers.supervisor.lease_renewer import Keeper
from fencepost.workers.worker.in_progress import Holdings

from ..clock import FakeClock
from ..processes import is_stopped, wait_until

LEASE = 2.0


class Member:
    """A process of ours as the supervisor sees one of its workers."""

    is_stopped = Incarnation.is_stopped

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.worker = 1
        self.page = Page()
        self.asleep_at = -math.inf
        self.kills: list[str] = []

    def kill(self, why: str) -> None:
        """Leave it alive."""
        self.kills.append(why)


@pytest.fixture
def member(store: Store) -> Iterator[Member]:
    """One with a claim that its handler is at."""
    with subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True
    ) as process:
        found = Member(process.pid)
        hold = Hold(id=1, fence=1, token="")
        Holdings(store.engine, LEASE, found.page).keep(hold, store.engine.now_ms())
        try:
            yield found
        finally:
            process.kill()


def _guard(store: Store) -> Guard:
    return Guard(store.engine, LEASE)


def test_whose_lease_runs_out_is_killed_and_no_sooner(
    store: Store, clock: FakeClock, member: Member
) -> None:
    guard = _guard(store)

    clock.advance(LEASE * 0.9)
    guard.look([cast(Incarnation, member)])
    assert not member.kills

    clock.advance(LEASE * 0.06)
    guard.look([cast(Incarnation, member)])
    assert member.kills == ["its lease could not be renewed"]


def test_who_was_seen_stopped_by_the_keeper_may_see_that_its_lease_is_gone(
    store: Store, clock: FakeClock, member: Member
) -> None:
    guard, workers = _guard(store), [cast(Incarnation, member)]

    os.kill(member.pid, signal.SIGSTOP)
    wait_until(lambda: is_stopped(member.pid), "it is stopped")
    clock.advance(LEASE / 2)
    Keeper(store.engine, LEASE, lambda: workers).round()
    clock.advance(LEASE)  # between two looks of the guard
    os.kill(member.pid, signal.SIGCONT)
    wait_until(lambda: not is_stopped(member.pid), "it goes on")
    guard.look(workers)
    assert not member.kills

    member.asleep_at -= 3600
    guard.look(workers)
    assert member.kills
