"""Backups under writers: who still held what, and that a tiny run finds nothing."""

from __future__ import annotations

from typing import Any

from fencepost.store.engine import Hold
from fencepost.stress.records.history import Call, Outcome
from fencepost.stress.sqlite.scenarios.backup import SCENARIO, held

from .tiny import Tiny


def test_a_tiny_run_finds_nothing(tiny: Tiny) -> None:
    result = tiny(SCENARIO, {"stores": 1, "backups": 1, "processes": 1})

    assert result.findings == []
    assert result.checked["nothing-lost"] > 0
    assert result.checked["stale-refused"] > 0


def _claim(fence: int) -> Call:
    claims = [{"id": fence, "fence": fence, "token": f"t{fence}"}]
    return Call("a", "claim", 1, 2, "ok", {}, {"claims": claims})


def _ack(fence: int, began: int, outcome: Outcome = "ok") -> Call:
    what: dict[str, Any] = {"id": fence, "fence": fence}
    return Call("a", "ack", began, began + 1, outcome, what, {})


def test_held_is_what_nobody_had_begun_to_settle() -> None:
    calls = [_claim(1), _claim(2), _claim(3), _ack(1, 5), _ack(2, 20), _ack(3, 5, "unknown")]

    holds, greatest = held(calls, until=10)

    assert holds == [Hold(2, 2, "t2")]
    assert greatest == 3
