"""Every message: once accepted, ended by somebody, its effect there once; and keys won once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from ..records.history import Call
from .verdict import Verdict

# What is at its end, and which calls bring it there.
_ENDS = {"done": {"ack", "complete"}, "dead": {"bury", "retry"}, "cancelled": {"cancel"}}


def check(calls: Sequence[Call], verdict: Verdict) -> None:
    """Check what was enqueued and registered against what came of it."""
    enqueues = defaultdict(list)
    registered = defaultdict(list)
    for call in calls:
        if call.op == "enqueue":
            enqueues[call.what["queue"], call.what["key"]].append(call)
        elif call.op == "register":
            registered[call.what["namespace"], call.what["key"]].append(call)
    for (queue, key), tries in enqueues.items():
        _accepted_once(queue, key, tries, verdict)
    for (namespace, key), tries in registered.items():
        _won_once(namespace, key, tries, verdict)
    final = {
        (call.answer["queue"], call.answer["key"]): call for call in calls if call.op == "final"
    }
    if final:
        _lost_or_unexpected(enqueues, final, verdict)
    if any(call.op in ("ack", "complete") for call in calls):
        _ended_by_somebody(calls, final, verdict)
    if any(call.op == "effect" for call in calls):
        _effects(calls, enqueues, final, verdict)


def _accepted_once(queue: str, key: str, tries: list[Call], verdict: Verdict) -> None:
    answered = [call for call in tries if call.outcome == "ok"]
    unknown = any(call.outcome == "unknown" for call in tries)
    accepted = [call for call in answered if call.answer["status"] == "accepted"]
    ids = {call.answer["message_id"] for call in answered}
    verdict.check(
        "accepted-once",
        len(accepted) <= 1 and len(ids) <= 1 and bool(accepted or unknown or not answered),
        f"{queue}/{key}: told accepted {len(accepted)} times of {len(answered)}, with the ids"
        f" {sorted(ids)}",
    )


def _won_once(namespace: str, key: str, tries: list[Call], verdict: Verdict) -> None:
    answered = [call for call in tries if call.outcome == "ok"]
    unknown = any(call.outcome == "unknown" for call in tries)
    won = sum(bool(call.answer["won"]) for call in answered)
    verdict.check(
        "won-once",
        won == 1 or (won == 0 and (unknown or not answered)),
        f"{namespace}/{key}: {won} of {len(answered)} won it",
    )


def _lost_or_unexpected(
    enqueues: dict[tuple[str, str], list[Call]],
    final: dict[tuple[str, str], Call],
    verdict: Verdict,
) -> None:
    for (queue, key), tries in enqueues.items():
        if not any(call.outcome == "ok" for call in tries):
            continue
        there = final.get((queue, key))
        state = "not there" if there is None else there.answer["state"]
        verdict.check("nothing-lost", state in _ENDS, f"{queue}/{key} was accepted and is {state}")
    for queue, key in final:
        tries = enqueues.get((queue, key), [])
        verdict.check(
            "nothing-unexpected",
            any(call.outcome != "failed" for call in tries),
            f"{queue}/{key} is there, and all {len(tries)} who enqueued it were refused",
        )


def _ended_by_somebody(
    calls: Sequence[Call], final: dict[tuple[str, str], Call], verdict: Verdict
) -> None:
    """Check, where handlers noted what they did, that all that is at its end was brought there."""
    brought = defaultdict(set)
    for call in calls:
        if "key" in call.what and call.outcome != "failed":
            brought[call.what["key"]].add(call.op)
    for (queue, key), there in final.items():
        state = there.answer["state"]
        if state in _ENDS:
            verdict.check(
                "nothing-lost",
                bool(brought[key] & _ENDS[state]),
                f"{queue}/{key} is {state}, and nobody has brought it there",
            )


def _effects(
    calls: Sequence[Call],
    enqueues: dict[tuple[str, str], list[Call]],
    final: dict[tuple[str, str], Call],
    verdict: Verdict,
) -> None:
    """Where handlers noted their transactions each must have left one effect, else every done one."""
    count = {call.answer["key"]: call.answer["count"] for call in calls if call.op == "effect"}
    completes = defaultdict(set)
    noted = False
    for call in calls:
        if call.op in ("ack", "complete"):
            noted = True
        if call.op == "complete":
            completes[call.what["key"]].add(call.outcome)
    known = {key for _, key in enqueues}
    for key in count.keys() - known:
        verdict.check("nothing-unexpected", False, f"an effect of {key}, which nobody enqueued")
    for (_, key), there in final.items():
        if noted:
            least = int("ok" in completes[key])
            most = int(bool(completes[key] & {"ok", "unknown"}))
        else:
            least = most = int(there.answer["state"] == "done")
        seen = count.get(key, 0)
        verdict.check(
            "effects-once",
            least <= seen <= most,
            f"{key} is {there.answer['state']} and its effect is there {seen} times",
        )
