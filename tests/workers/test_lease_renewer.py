"""Keeping leases from outside of their worker: what may be believed, and for how long."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import cast

import pytest

from fencepost import StoreBusy
from fencepost.app.context import Context
from fencepost.store import Claim, Store
from fencepost.store.engine import Engine, Hold
from fencepost.workers.process.managed_process import ManagedProcess
from fencepost.workers.process.shared_page import SharedPage
from fencepost.workers.supervisor.lease_renewer import LeaseRenewer, effective_end
from fencepost.workers.worker.in_progress import InProgress, SupervisedLease

from ..clock import FakeClock
from ..processes import wait_until

LEASE = 60.0


@dataclass(eq=False)
class Member:
    """A worker as its supervisor sees it, in this process."""

    worker: int
    pid: int = 0
    stopped: bool = False
    taken: int = 0
    page: SharedPage = field(default_factory=SharedPage)

    def is_stopped(self) -> bool:
        """As told."""
        return self.stopped


def _renewer(store: Store, *members: Member) -> LeaseRenewer:
    return LeaseRenewer(
        store.engine, LEASE, lambda: [cast(ManagedProcess, each) for each in members]
    )


def _claim(store: Store, member: Member) -> Claim:
    store.queue("mail").enqueue(b"")
    (leased,), _ = store.engine.queue.claim(
        ["mail"], limit=1, lease_ms=round(LEASE * 1000), owner=member.worker
    )
    return Claim(store.engine, leased)


def _member(store: Store) -> Member:
    return Member(store.engine.pools.register(store.engine.pools.begin(None, 1)))


def _kept(store: Store) -> tuple[Member, InProgress, Claim, SupervisedLease]:
    """Return a worker with a claim that its handler is at."""
    member = _member(store)
    claim = _claim(store, member)
    in_progress = InProgress(store.engine, member.page)
    return (
        member,
        in_progress,
        claim,
        in_progress.begin(claim.hold, store.engine.clock.stopwatch_ms() + round(LEASE * 1000)),
    )


def test_a_lease_is_kept_for_as_long_as_its_handler_works(store: Store, clock: FakeClock) -> None:
    member, in_progress, claim, lease = _kept(store)
    renewer = _renewer(store, member)

    for _ in range(10):
        clock.advance(LEASE / 3)
        renewer.round()
        assert not lease.lost
        assert lease.ends_ms == store.engine.clock.stopwatch_ms() + LEASE * 1000
    in_progress.end(claim.hold)
    clock.advance(LEASE * 2 / 3)
    renewer.round()

    assert lease.ends_ms == store.engine.clock.stopwatch_ms() + LEASE * 1000 / 3
    claim.ack()


def test_what_is_not_due_costs_no_transaction(
    store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = _member(store)
    in_progress = InProgress(store.engine, member.page)
    renewer = _renewer(store, member)
    in_progress.begin(
        _claim(store, member).hold, store.engine.clock.stopwatch_ms() + round(LEASE * 1000)
    )
    renewer.round()
    monkeypatch.setattr(store.engine.pools, "renew_owned", None)
    monkeypatch.setattr(store.engine.pools, "report", None)

    clock.advance(LEASE / 3 - 1)
    renewer.round()


# LEASE-18
def test_a_lease_that_has_lapsed_is_never_believed_in_again(store: Store, clock: FakeClock) -> None:
    member = _member(store)
    in_progress = InProgress(store.engine, member.page)
    lapsed = in_progress.begin(
        _claim(store, member).hold, store.engine.clock.stopwatch_ms() + round(LEASE * 1000)
    )
    clock.advance(LEASE)
    newer = in_progress.begin(
        _claim(store, member).hold, store.engine.clock.stopwatch_ms() + round(LEASE * 1000)
    )
    clock.advance(LEASE / 3)

    _renewer(store, member).round()
    clock.advance(LEASE / 3)

    assert lapsed.lost
    assert not newer.lost


class _Far:
    """Liveness of a database that the kernel tells nothing of."""

    beat_seconds = 3600.0

    def __init__(self) -> None:
        self.beats: list[tuple[int, list[int]]] = []

    def beat(self, pool: int, workers: list[int]) -> None:
        self.beats.append((pool, workers))


# FP-23
def test_a_store_that_cannot_know_who_lives_is_told_when_it_wants_to_hear_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    members, far = [_member(store), _member(store)], _Far()
    monkeypatch.setattr(store.engine.pools, "liveness", far)
    found = [cast(ManagedProcess, each) for each in members]
    renewer = LeaseRenewer(store.engine, LEASE, lambda: found, pool=7)

    renewer.round()
    renewer.round()
    assert far.beats == [(7, [each.worker for each in members])]

    far.beat_seconds = 0.0
    renewer._beat_at = 0.0
    renewer.round()
    renewer.round()
    assert len(far.beats) == 3


class _Ending(Member):
    """Cleared away by the supervisor while the renewer is at it."""

    def is_stopped(self) -> bool:
        """Too late to be told."""
        self.page.close()
        return False


def test_a_worker_that_ends_in_the_midst_of_a_round_takes_no_other_with_it(
    store: Store, clock: FakeClock
) -> None:
    pools = store.engine.pools
    ending, member = _Ending(pools.register(pools.begin(None, 2))), _member(store)
    claims = [_claim(store, each) for each in (ending, member)]
    leases = [
        InProgress(store.engine, each.page).begin(
            claim.hold, store.engine.clock.stopwatch_ms() + round(LEASE * 1000)
        )
        for each, claim in zip((ending, member), claims, strict=True)
    ]
    renewer = _renewer(store, ending, member)

    clock.advance(LEASE / 3)
    renewer.round()
    clock.advance(LEASE * 0.9)

    assert not leases[1].lost


def test_who_is_stopped_is_not_kept_and_loses_what_it_had(store: Store, clock: FakeClock) -> None:
    member, other = _member(store), _member(store)
    in_progress = InProgress(store.engine, member.page)
    lease = in_progress.begin(
        _claim(store, member).hold, store.engine.clock.stopwatch_ms() + round(LEASE * 1000)
    )
    InProgress(store.engine, other.page).begin(
        _claim(store, other).hold, store.engine.clock.stopwatch_ms() + round(LEASE * 1000)
    )
    member.stopped = True
    renewer = _renewer(store, member, other)
    for _ in range(4):
        clock.advance(LEASE / 3)
        renewer.round()

    member.stopped = False
    renewer.round()

    assert lease.lost
    states = {found.id: found.expires_at for found in store.deliveries(state="leased")}
    assert states[1] is not None
    assert states[1] < store.engine.clock.now_ms() / 1000 < (states[2] or 0)


def test_while_the_store_is_busy_the_next_round_tries_again(
    store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = _member(store)
    lease = InProgress(store.engine, member.page).begin(
        _claim(store, member).hold, store.engine.clock.stopwatch_ms() + round(LEASE * 1000)
    )
    clock.advance(LEASE / 2)
    renew, tries = store.engine.pools.renew_owned, []

    def busy(*arguments: object) -> dict[int, int]:
        tries.append(arguments)
        if len(tries) < 3:
            raise StoreBusy(operation="renew", path="store.db", waited=1.0)
        return renew([member.worker], round(LEASE * 1000))

    monkeypatch.setattr(store.engine.pools, "renew_owned", busy)
    renewer = _renewer(store, member)
    renewer.start()
    wait_until(lambda: lease.ends_ms > store.engine.clock.stopwatch_ms() + 59_000, "it is renewed")
    renewer.stop()

    assert len(tries) == 3


def test_the_register_is_told_what_is_new_and_once(
    store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fencepost.workers.supervisor.reporter._REPORT_SECONDS", 0.0)
    member = _member(store)
    in_progress = InProgress(store.engine, member.page)
    renewer = _renewer(store, member)
    in_progress.say("idle")
    renewer.round()
    claim = _claim(store, member)
    in_progress.begin(claim.hold, store.engine.clock.stopwatch_ms() + round(LEASE * 1000))
    renewer.round()
    assert store.workers()[0].state == "busy"
    in_progress.end(claim.hold)
    in_progress.settled(handled=True)
    renewer.round()
    reports: list[object] = []
    monkeypatch.setattr(store.engine.pools, "report", reports.append)
    renewer.round()

    (found,) = store.workers()
    assert (found.state, found.handled) == ("idle", 1)
    kinds = [event.kind for event in reversed(store.engine.pools.events(limit=9))]
    assert kinds == ["started", "started", "ready", "claimed"]
    assert reports == []


def test_of_a_worker_that_has_ended_the_rest_is_told(store: Store) -> None:
    member = _member(store)
    in_progress = InProgress(store.engine, member.page)
    claim = _claim(store, member)
    in_progress.say("idle")
    in_progress.begin(claim.hold, store.engine.clock.stopwatch_ms() + round(LEASE * 1000))
    renewer = _renewer(store, member)
    assert member.page.work is not None
    last = renewer.reporter.last(cast(ManagedProcess, member), member.page.work)
    store.engine.pools.retire(member.worker, "it ended", last=last)

    kinds = [event.kind for event in reversed(store.engine.pools.events(limit=9))]
    assert kinds == ["started", "started", "ready", "claimed", "lost", "stopped"]
    assert renewer.reporter.last(cast(ManagedProcess, member), member.page.work) is not None


def test_a_lease_ends_by_the_stopwatch_which_a_suspended_machine_moves_on() -> None:
    class Clocked:
        clock_ms = 100_000

        @property
        def clock(self) -> Clocked:
            return self

        def stopwatch_ms(self) -> int:
            return self.clock_ms

    engine = Clocked()
    member = Member(1)
    in_progress = InProgress(cast(Engine, engine), member.page)
    lease = in_progress.begin(Hold(1, 1, "token"), engine.clock_ms + round(LEASE * 1000))

    engine.clock_ms += 59_999
    assert not lease.lost
    engine.clock_ms += 1
    assert lease.lost


def test_a_handler_that_extends_its_lease_is_believed_to_have_it_for_as_long(
    store: Store, clock: FakeClock
) -> None:
    member, _, claim, lease = _kept(store)

    Context(claim, store, lease).extend(10 * LEASE)

    clock.advance(9 * LEASE)
    assert not lease.lost
    work = member.page.work
    assert work is not None
    assert effective_end(work, member.page.renewal) == store.engine.clock.stopwatch_ms() + round(
        LEASE * 1000
    )
    clock.advance(2 * LEASE)
    assert lease.lost


def test_an_extension_that_may_be_rolled_back_is_not_believed(
    store: Store, clock: FakeClock
) -> None:
    _, _, claim, lease = _kept(store)

    with contextlib.suppress(ZeroDivisionError), store.transaction():
        Context(claim, store, lease).extend(10 * LEASE)
        raise ZeroDivisionError

    clock.advance(LEASE)
    assert lease.lost
