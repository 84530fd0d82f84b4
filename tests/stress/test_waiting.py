"""Waiting for what has to come, and saying that one gets on."""

from __future__ import annotations

import pytest

from fencepost.stress.harness.waiting import now_and_then, until


def test_what_does_not_come_is_named() -> None:
    with pytest.raises(TimeoutError, match="the pool is up"):
        until(lambda: False, "the pool is up", seconds=0)


def test_a_sign_is_not_given_again_too_soon() -> None:
    often: list[None] = []
    rarely: list[None] = []
    for sign in (
        now_and_then(lambda: often.append(None), seconds=0),
        now_and_then(lambda: rarely.append(None), seconds=3600),
    ):
        sign()
        sign()

    assert (len(often), len(rarely)) == (2, 0)
