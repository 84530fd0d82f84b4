"""The moments of a lease come in an order, with room for what has to happen between them."""

from __future__ import annotations

import pytest

from fencepost.store.rules.lease_timing import LeaseTiming

LEASES = [0.5, 1.0, 2.5, 5.0, 30.0, 3600.0]


@pytest.mark.parametrize("seconds", LEASES)
def test_a_lease_is_renewed_before_its_handler_is_stopped_before_its_worker_is_killed(
    seconds: float,
) -> None:
    timing = LeaseTiming(seconds)
    moments = [
        timing.ms,
        timing.renew_together_left_ms,
        timing.renew_left_ms,
        timing.stop_left_ms,
        timing.kill_left_ms,
        0,
    ]

    assert moments == sorted(moments, reverse=True)
    assert len(set(moments)) == len(moments)


@pytest.mark.parametrize("seconds", LEASES)
def test_a_store_that_does_not_answer_is_asked_at_least_six_times(seconds: float) -> None:
    timing = LeaseTiming(seconds)

    left = timing.renew_left_ms - timing.stop_left_ms

    assert left / (timing.supervisor_looks_seconds * 1000) >= 5.9


@pytest.mark.parametrize("seconds", LEASES)
def test_a_worker_that_was_suspended_sees_for_itself_before_it_is_killed(seconds: float) -> None:
    timing = LeaseTiming(seconds)

    assert timing.waking_seconds > timing.worker_looks_seconds
    assert timing.slept_seconds < timing.seconds / 3


def test_a_lease_of_thirty_seconds() -> None:
    timing = LeaseTiming(30)

    assert timing.renew_left_ms == 20_000
    assert timing.renew_together_left_ms == 23_000
    assert timing.stop_left_ms == 5_000
    assert timing.kill_left_ms == 1_500
    assert timing.supervisor_looks_seconds == 0.25
    assert timing.worker_looks_seconds == 1
    assert timing.slept_seconds == 2
    assert timing.waking_seconds == 15
