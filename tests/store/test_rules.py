"""Decisions that every engine makes the same way."""

from __future__ import annotations

from typing import Any

import pytest

from fencepost.store.rules import caps, lanes, lease_loss
from fencepost.store.rules.failures.attempts import is_exhausted
from fencepost.store.types.messages.limits import Caps


# FP-25
@pytest.mark.parametrize(
    ("attempt", "most", "since", "now", "interrupted", "exhausted"),
    [
        (1, None, 0, 99, False, False),
        (1, None, 0, 100, False, True),
        (1, None, 0, 100, True, False),
        (1, None, None, 100, False, False),
        (2, 3, 0, 0, False, False),
        (3, 3, 0, 0, False, True),
        (3, 3, None, 0, True, True),
    ],
)
def test_the_limit_that_is_reached_first_ends_the_attempts(
    attempt: int, most: int | None, since: int | None, now: int, interrupted: bool, exhausted: bool
) -> None:
    found = is_exhausted(
        attempt=attempt,
        max_attempts=most,
        tried_since_ms=since,
        retry_for_ms=100,
        now_ms=now,
        interrupted=interrupted,
    )

    assert found is exhausted


# FP-25
def test_a_lane_follows_the_policy_of_its_head() -> None:
    policies = ("strict", "skip", "park")

    assert [lanes.stands_aside("l", each, 5) for each in policies] == [False, True, False]
    assert not any(lanes.stands_aside("l", each, None) for each in policies)
    assert [lanes.is_parked("l", each) for each in policies] == [False, False, True]
    assert not lanes.stands_aside(None, "skip", 5)
    assert not lanes.is_parked(None, "park")


# FP-25
def test_a_queue_is_full_at_its_cap_and_not_before() -> None:
    bounds = Caps(max_rows=2, max_bytes=10)

    assert caps.what_is_full(bounds, rows=1, used=4, bytes=6) is None
    assert caps.what_is_full(bounds, rows=2, used=0, bytes=0) == "2 deliveries"
    assert caps.what_is_full(bounds, rows=1, used=5, bytes=6) == "5 bytes"
    assert caps.what_is_full(Caps(), rows=10**9, used=10**9, bytes=10**9) is None
    assert caps.never_fits(bounds, 11)
    assert not caps.never_fits(bounds, 10)
    assert not caps.never_fits(Caps(), 10**9)
    assert [caps.is_full(2, rows) for rows in (1, 2, 3)] == [False, True, True]
    assert not caps.is_full(None, 10**9)
    assert caps.changed(bounds, {"max_rows": None, "max_leased": 3}) == Caps(None, 10, 3)


# FP-25
@pytest.mark.parametrize(
    ("found", "cause"),
    [
        (None, "missing"),
        ((8, None), "superseded"),
        ((8, "mine"), "superseded"),
        ((7, "mine"), "settled"),
        ((7, None), "revoked"),
        ((7, "other"), "revoked"),
    ],
)
def test_why_a_claim_was_lost(found: Any, cause: str) -> None:
    assert lease_loss.claim(fence=7, token="mine", found=found) == cause


# FP-25
@pytest.mark.parametrize(
    ("found", "cause"),
    [
        (None, "missing"),
        ((7, "mine", None), "expired"),
        ((7, None, "mine"), "released"),
        ((8, "other", "mine"), "released"),
        ((7, None, None), "released"),
        ((8, None, None), "superseded"),
        ((8, "other", None), "superseded"),
        ((7, "other", None), "superseded"),
    ],
)
def test_why_a_lease_of_a_name_was_lost(found: Any, cause: str) -> None:
    assert lease_loss.name(fence=7, token="mine", found=found) == cause


# FP-25
@pytest.mark.parametrize(
    ("found", "cause"),
    [
        (None, "missing"),
        (("claimed", 7, "mine", None), "expired"),
        (("done", 7, None, "mine"), "settled"),
        (("released", 7, None, "mine"), "released"),
        (("claimed", 8, "other", "mine"), "superseded"),
        (("done", 8, None, "other"), "superseded"),
        (("released", 8, None, None), "superseded"),
    ],
)
def test_why_a_claim_of_a_key_was_lost(found: Any, cause: str) -> None:
    assert lease_loss.key(fence=7, token="mine", found=found) == cause
