"""The checker finds what is wrong in a history, and nothing in a good one."""

from __future__ import annotations

from typing import Any

import pytest

from fencepost.stress.checker import check
from fencepost.stress.records.history import Call

_MS = 1_000_000


def _call(
    op: str,
    at: float,
    what: dict[str, Any],
    answer: dict[str, Any] | None = None,
    *,
    by: str = "a",
    took: float = 1,
) -> Call:
    """Return a call that began at `at` ms and took `took`; without an answer nobody knows."""
    if answer is None:
        return Call(by, op, int(at * _MS), None, "unknown", what, {})
    outcome = "failed" if "error" in answer else "ok"
    return Call(by, op, int(at * _MS), int((at + took) * _MS), outcome, what, answer)  # type: ignore[arg-type]


def _seen(op: str, at: float = 1000, /, **what: Any) -> Call:
    return Call("driver", op, int(at * _MS), int(at * _MS), "ok", {}, what)


def _enqueue(at: float, answer: dict[str, Any] | None, key: str = "k") -> Call:
    return _call("enqueue", at, {"queue": "q", "key": key}, answer)


def _claim(at: float, id: int, fence: int, *, by: str = "a", lane: str | None = None) -> Call:
    claim = {"id": id, "key": f"k{id}", "fence": fence, "lane": lane, "lease_ms": 100}
    return _call("claim", at, {"queue": "q"}, {"claims": [claim]}, by=by)


def _use(op: str, at: float, id: int, fence: int, answer: Any = None, *, by: str = "a") -> Call:
    what = {"id": id, "fence": fence, "key": f"k{id}", "lease_ms": 100}
    return _call(op, at, what, {} if answer is None else answer, by=by)


def _acquire(at: float, answer: dict[str, Any] | None, *, by: str = "a") -> Call:
    return _call("acquire", at, {"name": "n", "ttl_ms": 100}, answer, by=by)


def _lease(op: str, at: float, fence: int, answer: Any = None, *, by: str = "a") -> Call:
    what = {"name": "n", "fence": fence, "ttl_ms": 100}
    return _call(op, at, what, {} if answer is None else answer, by=by)


_ACCEPTED = {"status": "accepted", "message_id": 1}
_DUPLICATE = {"status": "duplicate", "message_id": 1}
_BUSY = {"error": "store_busy", "says": "busy"}
_LOST = {"error": "lease_lost", "cause": "superseded"}
_HELD = {"error": "lease_held", "holder": "a"}
_FINAL: dict[str, Any] = {"queue": "q", "key": "k", "id": 1, "state": "done"}

GOOD: dict[str, list[Call]] = {
    "a message": [
        _enqueue(0, _ACCEPTED),
        _enqueue(5, _DUPLICATE),
        _seen("final", **_FINAL),
        _seen("effect", key="k", count=1),
    ],
    "an enqueue that nobody saw end": [
        _enqueue(0, None),
        _enqueue(5, _DUPLICATE),
        _seen("final", **_FINAL),
    ],
    "an enqueue that was refused and then made": [
        _enqueue(0, _BUSY),
        _enqueue(5, _ACCEPTED),
        _seen("final", **_FINAL),
    ],
    "an unknown completion without an effect": [
        _enqueue(0, _ACCEPTED),
        _call("complete", 5, {"id": 1, "fence": 1, "key": "k"}, None),
        _call("ack", 9, {"id": 1, "fence": 2, "key": "k"}, {}),
        _seen("final", **_FINAL),
        _seen("effect", key="other", count=0),
        _enqueue(2, None, "other"),
    ],
    "messages that were retried for the last time, and that a dead process may have acked": [
        _enqueue(0, _ACCEPTED, "k1"),
        _enqueue(0, _ACCEPTED | {"message_id": 2}, "k2"),
        _use("retry", 5, 1, 1),
        _call("ack", 5, {"id": 2, "fence": 2, "key": "k2"}, None),
        _seen("final", **_FINAL | {"key": "k1", "state": "dead"}),
        _seen("final", **_FINAL | {"key": "k2", "id": 2}),
    ],
    "a takeover after expiry, and a refusal": [
        _claim(0, 1, 1),
        _claim(101, 1, 2, by="b"),
        _use("ack", 110, 1, 1, _LOST),
        _use("ack", 120, 1, 2, by="b"),
    ],
    "a takeover after the holder was killed": [
        _claim(0, 1, 1),
        _seen("killed", 10, process="a"),
        _claim(20, 1, 2, by="b"),
    ],
    "a takeover that the refused one could not see": [
        _claim(0, 1, 1),
        _call("claim", 100, {"queue": "q"}, None, by="b"),
        _use("ack", 110, 1, 1, _LOST),
    ],
    "a lane": [
        _claim(0, 1, 1, lane="l"),
        _use("ack", 10, 1, 1),
        _claim(10, 2, 2, lane="l", by="b"),
        _use("retry", 20, 2, 2, by="b"),
        _claim(30, 2, 3, lane="l"),
        _use("ack", 40, 2, 3),
        _claim(50, 3, 4, lane="l"),
    ],
    "a lease": [
        _acquire(0, {"fence": 1}),
        _acquire(50, _HELD, by="b"),
        _lease("keep", 60, 1),
        _acquire(150, _HELD, by="b"),
        _lease("fenced", 155, 1),
        _lease("free", 157, 1),
        _acquire(160, {"fence": 2}, by="b"),
        _lease("fenced", 165, 1, _LOST),
        _acquire(261, {"fence": 3}),
    ],
    "a lease that a dead process may have renewed": [
        _acquire(0, {"fence": 1}),
        _call("keep", 90, {"name": "n", "fence": 1, "ttl_ms": 100}, None),
        _acquire(150, _HELD, by="b"),
        _acquire(190, {"fence": 2}, by="b"),
    ],
    "a reboot": [
        _claim(0, 1, 1),
        _seen("rebooted", 10, process=""),
        _claim(20, 1, 2, by="b"),
    ],
}

BAD: dict[str, list[Call]] = {
    "nothing-lost: gone": [
        _enqueue(0, _ACCEPTED),
        _enqueue(1, None, "x"),
        _seen("final", **_FINAL | {"key": "x"}),
    ],
    "nothing-lost: still waiting": [
        _enqueue(0, _ACCEPTED),
        _seen("final", **_FINAL | {"state": "ready"}),
    ],
    "nothing-lost: done by nobody": [
        _enqueue(0, _ACCEPTED, "k1"),
        _use("ack", 5, 1, 1, _LOST),
        _use("ack", 5, 2, 2),
        _seen("final", **_FINAL | {"key": "k1"}),
    ],
    "nothing-lost: buried by nobody": [
        _enqueue(0, _ACCEPTED, "k1"),
        _use("ack", 5, 2, 2),
        _seen("final", **_FINAL | {"key": "k1", "state": "dead"}),
    ],
    "nothing-unexpected: refused, and there": [_enqueue(0, _BUSY), _seen("final", **_FINAL)],
    "nothing-unexpected: an effect of nothing": [_seen("effect", key="x", count=1)],
    "accepted-once: twice": [_enqueue(0, _ACCEPTED), _enqueue(5, _ACCEPTED)],
    "accepted-once: another id": [
        _enqueue(0, _ACCEPTED),
        _enqueue(5, _DUPLICATE | {"message_id": 2}),
    ],
    "accepted-once: never": [_enqueue(0, _DUPLICATE)],
    "won-once: twice": [
        _call("register", 0, {"namespace": "n", "key": "k"}, {"won": True}),
        _call("register", 0, {"namespace": "n", "key": "k"}, {"won": True}, by="b"),
    ],
    "won-once: never": [_call("register", 0, {"namespace": "n", "key": "k"}, {"won": False})],
    "effects-once: twice": [
        _enqueue(0, _ACCEPTED),
        _seen("final", **_FINAL),
        _seen("effect", key="k", count=2),
    ],
    "effects-once: completed, and not there": [
        _enqueue(0, _ACCEPTED),
        _call("complete", 5, {"id": 1, "fence": 1, "key": "k"}, {}),
        _seen("final", **_FINAL),
        _seen("effect", key="k", count=0),
    ],
    "effects-once: refused, and there": [
        _enqueue(0, _ACCEPTED),
        _call("complete", 5, {"id": 1, "fence": 1, "key": "k"}, _LOST),
        _call("ack", 6, {"id": 1, "fence": 2, "key": "k"}, {}),
        _seen("final", **_FINAL),
        _seen("effect", key="k", count=1),
    ],
    "fences-rise: again": [_claim(0, 1, 1), _claim(200, 1, 2), _claim(400, 2, 2)],
    "fences-rise: back": [_claim(0, 1, 5), _claim(200, 1, 4)],
    "fences-rise: of two": [_claim(0, 1, 5), _claim(2, 2, 5)],
    "one-holder: before expiry": [_claim(0, 1, 1), _claim(50, 1, 2, by="b")],
    "one-holder: before a renewed expiry": [
        _claim(0, 1, 1),
        _use("renew", 90, 1, 1),
        _claim(150, 1, 2, by="b"),
    ],
    "stale-refused: an ack": [
        _claim(0, 1, 1),
        _claim(101, 1, 2, by="b"),
        _use("ack", 110, 1, 1),
    ],
    "holder-not-refused: by nobody": [_claim(0, 1, 1), _use("ack", 10, 1, 1, _LOST)],
    "lane-order: two at a time": [_claim(0, 1, 1, lane="l"), _claim(5, 2, 2, lane="l", by="b")],
    "lane-order: the second first": [
        _claim(0, 2, 1, lane="l"),
        _use("ack", 5, 2, 1),
        _claim(10, 1, 2, lane="l"),
        _use("ack", 15, 1, 2),
    ],
    "one-holder: of a lease": [_acquire(0, {"fence": 1}), _acquire(50, {"fence": 2}, by="b")],
    "fences-rise: of a lease": [
        _acquire(0, {"fence": 7}),
        _lease("free", 10, 7),
        _acquire(20, {"fence": 7}, by="b"),
    ],
    "stale-refused: of a lease": [
        _acquire(0, {"fence": 1}),
        _acquire(101, {"fence": 2}, by="b"),
        _lease("fenced", 110, 1),
    ],
    "stale-refused: after expiry": [_acquire(0, {"fence": 1}), _lease("keep", 110, 1)],
    "holder-not-refused: of a lease": [_acquire(0, {"fence": 1}), _lease("fenced", 10, 1, _LOST)],
    "holder-knows: longer": [_acquire(0, {"fence": 1}), _acquire(150, _HELD, by="b")],
    "holder-knows: after its release": [
        _acquire(0, {"fence": 1}),
        _lease("free", 10, 1),
        _acquire(20, _HELD, by="b"),
    ],
    "caps-hold: over": [_seen("snapshot", of="q", rows=6, cap=5)],
    "integrity: not": [_seen("integrity", says="row 5 missing")],
    "typed-errors: not": [_enqueue(0, {"error": "untyped BusyError"})],
}


def _in_order(calls: list[Call]) -> list[Call]:
    return sorted(calls, key=lambda call: call.began)


@pytest.mark.parametrize("name", GOOD)
def test_a_good_history_is_looked_at_and_passes(name: str) -> None:
    checked, findings = check(_in_order(GOOD[name]))

    assert findings == []
    assert sum(checked.values()) > 0


@pytest.mark.parametrize("name", BAD)
def test_a_bad_history_is_found_out_by_its_invariant_alone(name: str) -> None:
    checked, findings = check(_in_order(BAD[name]))

    assert {found.invariant for found in findings} == {name.partition(":")[0]}
    assert all(checked[found.invariant] for found in findings)
