"""A name is one holder's at a time, and whoever held it before is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from fencepost import InvalidInput, Lease, LeaseHeld, LeaseLost, Store
from fencepost.store.engine.leases import Displaced, Taken

from ..clock import FakeClock
from ..kits import Kit

HOUR_MS = 3_600_000


def _write(store: Store, lease: Lease) -> None:
    with store.transaction(fence=lease):
        store.keyed("test", "effects").register("written", True)


USES: dict[str, Callable[[Store, Lease], object]] = {
    "renew": lambda store, lease: lease.renew(),
    "release": lambda store, lease: lease.release(),
    "transaction": _write,
}


@pytest.fixture
def written(store: Store) -> Callable[[], int]:
    """Return how much fenced transactions have written."""
    return store.keyed("test", "effects").count


# LEASE-2, LEASE-6
def test_a_free_name_is_leased_with_a_fence_and_a_token(store: Store, clock: FakeClock) -> None:
    lease = store.leases.acquire("deploy", ttl=30)

    assert (lease.name, lease.displaced, lease.lost) == ("deploy", None, False)
    assert lease.expires_at == clock.wall / 1000 + 30
    assert len(lease.token) == 32
    assert lease.token not in repr(lease)
    assert str(lease.fence) in repr(lease)


# LEASE-4, OLEASE-6
def test_a_held_name_is_refused_with_its_holder_and_nothing_changes(
    store: Store, clock: FakeClock
) -> None:
    lease = store.leases.acquire("deploy", ttl=30, owner="one")
    before = store.leases.get("deploy")
    clock.advance(10)

    with pytest.raises(LeaseHeld) as refused:
        store.leases.acquire("deploy", owner="two")

    assert (refused.value.code, refused.value.operation) == ("lease_held", "acquire")
    assert refused.value.holder == "one"
    assert refused.value.expires_at == lease.expires_at
    assert refused.value.retry_after == 20
    assert store.leases.try_acquire("deploy") is None
    assert store.leases.get("deploy") == before


# LEASE-5
def test_by_default_an_owner_is_new_each_time_so_that_nobody_enters_twice(store: Store) -> None:
    first = store.leases.acquire("one")
    second = store.leases.acquire("two")

    assert first.owner != second.owner
    assert store.leases.try_acquire("one") is None


# LEASE-1, FP-4
def test_a_lease_ends_at_its_expiry_and_not_a_millisecond_earlier(
    store: Store, clock: FakeClock
) -> None:
    store.leases.acquire("deploy", ttl=timedelta(seconds=10))

    clock.advance(9.999)
    assert store.leases.try_acquire("deploy") is None
    clock.advance(0.001)
    assert store.leases.try_acquire("deploy") is not None


# LEASE-1
def test_a_lease_of_a_millisecond_is_one(store: Store, clock: FakeClock) -> None:
    store.leases.acquire("deploy", ttl=0.001)

    assert store.leases.try_acquire("deploy") is None
    clock.advance(0.001)
    assert store.leases.try_acquire("deploy") is not None


# LEASE-2, OLEASE-7
def test_fences_rise_with_every_lease_of_a_name_and_none_is_given_twice(
    store: Store, clock: FakeClock
) -> None:
    fences: list[tuple[str, int]] = []
    for _ in range(3):
        for name in ("a", "b"):
            lease = store.leases.acquire(name, ttl=1)
            fences.append((name, lease.fence))
            lease.release()
        fences.append(("c", store.leases.acquire("c", ttl=1).fence))
        store.queue("mail").enqueue(b"work")
        fences += [(f"d{claim.id}", claim.fence) for claim in store.queue("mail").claim(lease=1)]
        once = store.once("n", f"{len(fences)}")
        assert once.fence is not None
        fences.append(("once", once.fence))
        clock.advance(1)

    assert len({fence for _, fence in fences}) == len(fences)
    for thing, _ in fences:
        own = [fence for name, fence in fences if name == thing]
        assert own == sorted(own)


# LEASE-3
def test_the_same_owner_gets_its_lease_again_with_a_new_token(
    store: Store, clock: FakeClock
) -> None:
    first = store.leases.acquire("deploy", ttl=30, owner="me")
    before = store.leases.get("deploy")
    clock.advance(10)

    again = store.leases.acquire("deploy", ttl=30, owner="me")

    after = store.leases.get("deploy")
    assert before is not None
    assert after is not None
    assert (again.fence, after.acquired_at) == (first.fence, before.acquired_at)
    assert again.expires_at == first.expires_at + 10
    assert again.token != first.token
    assert again.displaced is None
    again.renew()


# LEASE-3, LEASE-21
@pytest.mark.parametrize("use", USES)
def test_the_token_of_before_entering_again_is_void(store: Store, use: str) -> None:
    first = store.leases.acquire("deploy", owner="me")
    again = store.leases.acquire("deploy", owner="me")

    with pytest.raises(LeaseLost) as refused:
        USES[use](store, first)

    assert refused.value.cause == "superseded"
    again.renew()


# LEASE-3
def test_entering_again_never_shortens_the_lease(store: Store, clock: FakeClock) -> None:
    first = store.leases.acquire("deploy", ttl=60, owner="me")

    again = store.leases.acquire("deploy", ttl=1, owner="me")

    assert again.expires_at == first.expires_at
    clock.advance(30)
    assert store.leases.try_acquire("deploy") is None


def test_a_lease_asked_for_twice_with_one_token_is_one(store: Store) -> None:
    """As after a COMMIT that raised and had happened."""
    first, again = (
        store.engine.leases.acquire("deploy", owner="me", token="t", ttl_ms=1000) for _ in range(2)
    )

    assert first == again


# LEASE-7
def test_renewing_keeps_others_away(store: Store, clock: FakeClock) -> None:
    lease = store.leases.acquire("deploy", ttl=10)

    for _ in range(5):
        clock.advance(6)
        lease.renew()
        assert lease.expires_at == clock.wall / 1000 + 10
        assert not lease.lost

    assert store.leases.try_acquire("deploy") is None
    lease.renew(ttl=60)
    clock.advance(59)
    assert store.leases.try_acquire("deploy") is None


# LEASE-7
def test_renewing_never_shortens_a_lease(store: Store, clock: FakeClock) -> None:
    lease = store.leases.acquire("deploy", ttl=60)

    lease.renew(ttl=1)
    clock.advance(30)

    assert not lease.lost
    assert store.leases.try_acquire("deploy") is None


# LEASE-8, OLEASE-4, FP-5
@pytest.mark.parametrize("use", USES)
def test_an_expired_lease_is_refused_though_nobody_took_it(
    store: Store, clock: FakeClock, use: str, written: Callable[[], int]
) -> None:
    lease = store.leases.acquire("deploy", ttl=10)
    clock.advance(10)
    before = store.leases.get("deploy")

    with pytest.raises(LeaseLost) as refused:
        USES[use](store, lease)

    assert (refused.value.cause, refused.value.operation) == ("expired", use)
    assert lease.lost
    assert store.leases.get("deploy") == before
    assert written() == 0


# LEASE-9, LEASE-10, FP-6
@pytest.mark.parametrize("use", USES)
def test_a_lease_taken_over_is_refused_and_its_new_holder_is_left_alone(
    store: Store, clock: FakeClock, use: str, written: Callable[[], int]
) -> None:
    stale = store.leases.acquire("deploy", ttl=10)
    clock.advance(10)
    taken = store.leases.acquire("deploy", ttl=10)
    before = store.leases.get("deploy")

    with pytest.raises(LeaseLost) as refused:
        USES[use](store, stale)

    assert refused.value.cause == "superseded"
    assert stale.lost
    assert store.leases.get("deploy") == before
    assert written() == 0
    taken.renew()


# LEASE-11
@pytest.mark.parametrize("use", ["renew", "transaction"])
def test_a_released_lease_is_refused(store: Store, use: str) -> None:
    lease = store.leases.acquire("deploy")
    lease.release()

    with pytest.raises(LeaseLost) as refused:
        USES[use](store, lease)

    assert refused.value.cause == "released"


# LEASE-11
@pytest.mark.parametrize("use", USES)
def test_a_lease_of_another_store_is_missing(store: Store, kit: Kit, use: str) -> None:
    with kit.elsewhere().open() as other:
        stranger = other.leases.acquire("deploy")
    lease = store.leases.acquire("elsewhere")
    lease._hold = stranger._hold

    with pytest.raises(LeaseLost) as refused:
        USES[use](store, lease)

    assert refused.value.cause == "missing"


# LEASE-6, FP-5
@pytest.mark.parametrize("use", USES)
def test_the_right_fence_with_another_token_is_refused(
    store: Store, use: str, written: Callable[[], int]
) -> None:
    """After a power loss without full durability a fence may be given out twice."""
    lease = store.leases.acquire("deploy")
    hold = lease._hold
    lease._hold = type(hold)(hold.name, hold.fence, "0" * 32)

    with pytest.raises(LeaseLost):
        USES[use](store, lease)

    assert written() == 0
    assert store.leases.try_acquire("deploy") is None


# LEASE-9
def test_releasing_frees_the_name_at_once_and_twice_is_once(store: Store) -> None:
    lease = store.leases.acquire("deploy")

    lease.release()
    lease.release()

    assert store.leases.get("deploy") is None
    taken = store.leases.acquire("deploy")
    assert taken.fence > lease.fence
    assert taken.displaced is None
    lease.release()
    taken.renew()


# LEASE-15
def test_whoever_replaces_a_lapsed_lease_is_told_whose_it_was(
    store: Store, clock: FakeClock
) -> None:
    lapsed = store.leases.acquire("deploy", ttl=10, owner="one")
    clock.advance(60)

    taken = store.leases.acquire("deploy", ttl=10, owner="two")

    assert taken.displaced == Displaced("one", lapsed.fence, lapsed.expires_at)


# LEASE-15
def test_nobody_is_displaced_by_its_own_owner_or_after_a_release(
    store: Store, clock: FakeClock
) -> None:
    store.leases.acquire("deploy", ttl=10, owner="me")
    clock.advance(60)

    own = store.leases.acquire("deploy", ttl=10, owner="me")
    own.release()

    assert own.displaced is None
    assert store.leases.acquire("deploy", owner="other").displaced is None


# LEASE-16
def test_a_lease_is_shown_until_released_and_says_whether_it_lives(
    store: Store, clock: FakeClock
) -> None:
    lease = store.leases.acquire("b", ttl=10, owner="me")
    gone = store.leases.acquire("c")
    gone.release()
    store.leases.acquire("a", ttl=5)
    acquired = clock.wall / 1000
    clock.advance(5)

    shown = store.leases.list()

    assert [(found.name, found.live) for found in shown] == [("a", False), ("b", True)]
    assert shown[1] == store.leases.get("b")
    assert (shown[1].owner, shown[1].fence) == ("me", lease.fence)
    assert (shown[1].acquired_at, shown[1].expires_at) == (acquired, acquired + 10)
    assert store.leases.get("c") is store.leases.get("never") is None
    assert [found.name for found in store.leases.list(limit=1)] == ["a"]


# LEASE-11, LEASE-14
@pytest.mark.parametrize("use", USES)
def test_an_operator_ends_a_lease_and_its_holder_is_fenced(
    store: Store, use: str, written: Callable[[], int]
) -> None:
    lease = store.leases.acquire("deploy", ttl=600)

    assert store.leases.free("deploy")

    with pytest.raises(LeaseLost) as refused:
        USES[use](store, lease)
    assert refused.value.cause == "released"
    assert lease.lost == (use != "release")
    assert written() == 0
    assert not store.leases.free("deploy")
    assert store.leases.acquire("deploy").displaced is None


def test_an_operator_cannot_end_what_has_ended(store: Store, clock: FakeClock) -> None:
    store.leases.acquire("deploy", ttl=10)
    clock.advance(10)

    assert not store.leases.free("deploy")
    assert not store.leases.free("never")


# OLEASE-4
def test_lost_turns_true_by_the_clock_before_another_can_hold_the_name(
    store: Store, clock: FakeClock
) -> None:
    lease = store.leases.acquire("deploy", ttl=10)

    clock.advance(9.999)
    assert not lease.lost
    clock.advance(0.001)
    assert lease.lost
    assert store.leases.try_acquire("deploy") is not None


# OLEASE-4
def test_the_time_of_a_lease_counts_from_before_the_store_was_asked(
    store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    acquire = store.engine.leases.acquire

    def waiting(name: str, **rest: Any) -> Taken:
        clock.advance(4)  # for the write lock
        return acquire(name, **rest)

    monkeypatch.setattr(store.engine.leases, "acquire", waiting)
    lease = store.leases.acquire("deploy", ttl=10)

    clock.advance(5.999)
    assert not lease.lost
    clock.advance(0.001)
    assert lease.lost
    assert lease.expires_at == clock.wall / 1000 + 4


# OLEASE-2
def test_waiting_gets_the_lease_once_it_is_free(
    store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.leases.acquire("deploy", ttl=2)
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        clock.advance(seconds)

    monkeypatch.setattr("fencepost.store.leases.time.sleep", sleep)

    lease = store.leases.acquire("deploy", wait=600)

    assert not lease.lost
    assert 0.01875 <= pauses[0] <= 0.03125
    assert all(0.1875 <= pause <= 0.3125 for pause in pauses[8:])
    assert all(
        pause <= 0.025 * 1.5**n * 1.25 and pause >= min(0.25, 0.025 * 1.5**n) * 0.75
        for n, pause in enumerate(pauses)
    )


# OLEASE-2
def test_waiting_in_vain_is_refused_in_time(store: Store) -> None:
    store.leases.acquire("deploy", owner="one")

    with pytest.raises(LeaseHeld) as refused:
        store.leases.acquire("deploy", wait=0.1)

    assert refused.value.holder == "one"
    assert store.leases.try_acquire("deploy", wait=timedelta(seconds=0.05)) is None


# OLEASE-3, OLEASE-6
@pytest.mark.parametrize(
    "call",
    [
        lambda leases: leases.acquire(""),
        lambda leases: leases.acquire("a\nb"),
        lambda leases: leases.acquire("x" * 513),
        lambda leases: leases.acquire(7),
        lambda leases: leases.acquire("a", ttl=0),
        lambda leases: leases.acquire("a", ttl=-1),
        lambda leases: leases.acquire("a", ttl=float("nan")),
        lambda leases: leases.acquire("a", ttl=None),
        lambda leases: leases.acquire("a", owner=""),
        lambda leases: leases.acquire("a", owner=7),
        lambda leases: leases.acquire("a", wait=-1),
        lambda leases: leases.hold("a", ttl=0.999).__enter__(),
        lambda leases: leases.list(limit=0),
        lambda leases: leases.get(""),
        lambda leases: leases.free(""),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_begins(
    store: Store, call: Callable[[object], object]
) -> None:
    with pytest.raises(InvalidInput):
        call(store.leases)

    assert store.leases.list() == []


def test_a_lease_is_neither_acquired_nor_renewed_within_another_transaction(store: Store) -> None:
    """It could be believed in, and then be rolled back."""
    lease = store.leases.acquire("deploy")

    for call in (lambda: store.leases.acquire("other"), lease.renew, lambda: _write(store, lease)):
        with store.transaction(), pytest.raises(InvalidInput):
            call()

    lease.renew()


# LEASE-23
@pytest.mark.parametrize("step_ms", [-HOUR_MS, HOUR_MS])
def test_a_step_of_the_wall_clock_moves_no_lease(
    store: Store, clock: FakeClock, step_ms: int
) -> None:
    lease = store.leases.acquire("deploy", ttl=30)

    clock.wall += step_ms
    clock.advance(29.999)
    assert not lease.lost
    assert store.leases.try_acquire("deploy") is None
    clock.advance(0.001)
    assert lease.lost
    assert store.leases.try_acquire("deploy") is not None


def test_a_reboot_ends_all_leases_and_the_fences_go_on(kit: Kit, clock: FakeClock) -> None:
    with kit.open() as before:
        lease = before.leases.acquire("deploy", ttl=86_400, owner="one")
    rebooted = FakeClock(boot=1_000, wall=clock.wall, boot_name="second boot")

    with kit.open(clock=rebooted) as after:
        taken = after.leases.acquire("deploy")

        assert taken.fence > lease.fence
        assert taken.displaced == Displaced("one", lease.fence, 0)
        with pytest.raises(LeaseLost):
            after.engine.leases.renew(lease._hold, 1000)
