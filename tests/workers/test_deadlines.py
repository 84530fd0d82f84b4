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
from fencepost.workers.process.managed_process import ManagedProcess
from fencepost.workers.process.shared_page import SharedPage
from fencepost.workers.supervisor.lease_renewer import LeaseRenewer
from fencepost.workers.supervisor.watching.deadlines import Deadlines
from fencepost.workers.worker.in_progress import InProgress

from ..clock import FakeClock
from ..processes import is_stopped, wait_until

LEASE = 2.0


class Member:
    """A process of ours as the supervisor sees one of its workers."""

    is_stopped = ManagedProcess.is_stopped

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.worker = 1
        self.page = SharedPage()
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
        InProgress(store.engine, found.page).begin(
            hold, store.engine.clock.stopwatch_ms() + round(LEASE * 1000)
        )
        try:
            yield found
        finally:
            process.kill()


def _deadlines(store: Store) -> Deadlines:
    return Deadlines(store.engine, LEASE)


def test_whose_lease_runs_out_is_killed_and_no_sooner(
    store: Store, clock: FakeClock, member: Member
) -> None:
    deadlines = _deadlines(store)

    clock.advance(LEASE * 0.9)
    deadlines.look([cast(ManagedProcess, member)])
    assert not member.kills

    clock.advance(LEASE * 0.06)
    deadlines.look([cast(ManagedProcess, member)])
    assert member.kills == ["its lease could not be renewed"]


def test_a_worker_seen_stopped_by_the_renewer_may_see_that_its_lease_is_gone(
    store: Store, clock: FakeClock, member: Member
) -> None:
    deadlines, workers = _deadlines(store), [cast(ManagedProcess, member)]

    os.kill(member.pid, signal.SIGSTOP)
    wait_until(lambda: is_stopped(member.pid), "it is stopped")
    clock.advance(LEASE / 2)
    LeaseRenewer(store.engine, LEASE, lambda: workers).round()
    clock.advance(LEASE)  # between two looks at the deadlines
    os.kill(member.pid, signal.SIGCONT)
    wait_until(lambda: not is_stopped(member.pid), "it goes on")
    deadlines.look(workers)
    assert not member.kills

    member.asleep_at -= 3600
    deadlines.look(workers)
    assert member.kills
