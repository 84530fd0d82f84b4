"""The store's clock: anchored once for each boot, and deaf to steps of the wall's."""

from __future__ import annotations

import dataclasses

import pytest

from fencepost import LeaseLost, Queue, Store, connect

from ..clock import FakeClock

HOUR_MS = 3_600_000


@pytest.mark.parametrize("step_ms", [-HOUR_MS, HOUR_MS])
def test_a_step_of_the_wall_clock_ends_a_lease_neither_early_nor_late(
    queue: Queue, clock: FakeClock, step_ms: int
) -> None:
    queue.enqueue(b"work")
    queue.claim(lease=30)

    clock.wall += step_ms
    clock.advance(29.999)
    assert queue.claim() == []
    clock.advance(0.001)
    assert len(queue.claim()) == 1


@pytest.mark.parametrize("step_ms", [-HOUR_MS, HOUR_MS])
def test_a_second_opening_in_the_same_boot_goes_by_the_same_clock(
    address: str, store: Store, queue: Queue, clock: FakeClock, step_ms: int
) -> None:
    queue.enqueue(b"work")
    queue.claim(lease=30)
    stepped = dataclasses.replace(clock, wall=clock.wall + step_ms)

    with connect(address, clock=stepped) as other:
        assert other.engine.clock.now_ms() == store.engine.clock.now_ms()
        assert other.queue("mail").claim() == []
    with connect(address, clock=clock) as again:
        assert again.engine.clock.now_ms() == store.engine.clock.now_ms()


def test_a_reboot_ends_all_leases_and_the_fences_go_on(address: str, clock: FakeClock) -> None:
    with connect(address, clock=clock) as store:
        queue = store.queue("mail")
        queue.enqueue_many([{"body": b"%d" % n} for n in range(5)])
        before = queue.claim(limit=5, lease=86_400)
    rebooted = FakeClock(boot=1_000, wall=clock.wall + 60_000, boot_name="second boot")

    with connect(address, clock=rebooted) as store:
        after = store.queue("mail").claim(limit=10)

        assert [claim.id for claim in after] == [claim.id for claim in before]
        assert min(claim.fence for claim in after) > max(claim.fence for claim in before)
        assert store.engine.clock.now_ms() == rebooted.wall


def test_a_reboot_with_the_wall_clock_set_back_still_ends_all_leases(
    address: str, clock: FakeClock
) -> None:
    with connect(address, clock=clock) as store:
        store.queue("mail").enqueue(b"work")
        store.queue("mail").claim(lease=86_400)
    rebooted = FakeClock(boot=1_000, wall=clock.wall - 365 * 24 * HOUR_MS, boot_name="second boot")

    with connect(address, clock=rebooted) as store:
        assert len(store.queue("mail").claim()) == 1


def test_a_claim_of_before_the_reboot_is_lost_once_claimed_anew(
    address: str, clock: FakeClock
) -> None:
    with connect(address, clock=clock) as store:
        store.queue("mail").enqueue(b"work")
        (before,) = store.queue("mail").claim(lease=86_400)
    rebooted = FakeClock(boot=1_000, wall=clock.wall, boot_name="second boot")

    with connect(address, clock=rebooted) as store:
        (after,) = store.queue("mail").claim()
        with pytest.raises(LeaseLost):
            store.engine.queue.ack(before.hold, None)
        after.ack()


def test_a_second_opening_after_the_reboot_ends_no_lease(address: str, clock: FakeClock) -> None:
    rebooted = FakeClock(boot=1_000, wall=clock.wall, boot_name="second boot")
    connect(address, clock=clock).close()

    with connect(address, clock=rebooted) as first:
        first.queue("mail").enqueue(b"work")
        (claim,) = first.queue("mail").claim()
        with connect(address, clock=rebooted) as second:
            assert second.queue("mail").claim() == []
        claim.ack()


# FILE-4
@pytest.mark.parametrize("seen", ["fence", "upkeep", "message", "entry"])
def test_a_clock_set_back_at_a_reboot_goes_on_from_what_it_has_seen(
    address: str, clock: FakeClock, seen: str
) -> None:
    with connect(address, clock=clock) as store:
        store.keyed("me", "mine").register("old", 1, ttl=60)
        clock.advance(3600)
        if seen == "fence":
            store.leases.acquire("deploy", ttl=30).release()
        elif seen == "upkeep":
            store.engine.upkeep.tick()
        elif seen == "message":
            store.queue("mail").enqueue(b"")
        else:
            store.keyed("me", "mine").register("new", 2)
        before = store.engine.clock.now_ms()
    clock.boot_name, clock.boot = "second boot", 5_000
    clock.wall -= 3600 * 1000

    with connect(address, clock=clock) as store:
        assert store.engine.clock.now_ms() >= before
        assert store.keyed("me", "mine").lookup("old") is None
