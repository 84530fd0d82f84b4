"""The judge: what was noted of each call, held against what handlers are declared to join."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from ...store import Store
from ..harness.run import Run
from ..records.census import census
from .calls import UNKNOWN, Noted, calls
from .order import judge_order
from .plan import DECLARED, NEWEST, WRITING, Plan
from .seen import Seen

_MOST_DELIVERIES = 1_000_000


def judge(run: Run, plans: Mapping[str, Plan], store: Store) -> None:
    """Judge all that was noted of calls, and what the store says."""
    with census(run.folder / "store.db") as seen:
        deliveries = {each.id: each for each in seen.deliveries() if each.key in plans}
        written = Counter(id for (id,) in seen.rows("select delivery from effects"))
        for wrong in [*seen.miscounted(), *([says] if (says := seen.verdict()) != "ok" else [])]:
            run.broken("integrity", wrong)
    run.checked("integrity")
    run.check("nothing-lost", len(deliveries) == len(plans), f"{len(deliveries)} of {len(plans)}")
    found, late, hits = calls(run.folder)
    of: dict[int, list[Noted]] = defaultdict(list)
    for call in found:
        for id in call.ids:
            of[id].append(call)
    known = {id: Seen(each, plans[each.key], of[id]) for id, each in deliveries.items()}
    for call in found:
        _judge_call(run, call, [known[id] for id in call.ids])
    for one in known.values():
        _judge_ends(run, one)
        _judge_death(run, one)
        if one.delivery.queue == WRITING:
            count, words = written[one.delivery.id], f"d{one.delivery.id} has written"
            run.check("effects-once", count == 1, f"{words} {count} times")
    _judge_attempts(run, known.values(), hits)
    _judge_newest(run, known, store)
    judge_order(run, known.values())
    for note in late:
        words = f"fence {note.fence} wrote after others had claimed d{note.delivery}"
        run.check("stale-refused", note.step == "refused", words)
    run.figure("calls", len(found))
    run.figure("messages_a_call", round(sum(len(call.ids) for call in found) / len(found), 1))
    killed = sum(call.ended == UNKNOWN for call in found)
    run.says(f"{len(known)} messages in {len(found)} calls, {killed} of them cut off")


def _judge_call(run: Run, call: Noted, members: Sequence[Seen]) -> None:
    """Look at one call alone: is it what the handler has declared?"""
    places = {(each.delivery.queue, each.plan.key) for each in members}
    run.check("joined-as-declared", len(places) == 1, f"{call.told} has several keys")
    declared = DECLARED[members[0].delivery.queue]
    run.check("joined-as-declared", len(call.ids) <= declared.most, f"{call.told} has too many")
    run.check("joined-as-declared", len(set(call.ids)) == len(call.ids), f"{call.told}: one twice")
    if not call.key:
        run.check("joined-as-declared", len(call.ids) == 1, f"{call.told} has no key")
        return
    if declared.window_ms is None or members[0].calls[0] is not call:
        return
    if len(call.ids) < declared.most and not declared.latest:
        waited = call.begun_ms - call.arrived_ms[0]
        words = f"{call.told} began {waited} ms after the first of its messages"
        run.check("window-kept", waited >= declared.window_ms, words)


def _judge_ends(run: Run, one: Seen) -> None:
    """Hold how a delivery ended against its last call, and the calls before against that."""
    delivery, told = one.delivery, f"d{one.delivery.id} of {one.delivery.queue}"
    if not one.calls:
        run.check("joined-once", False, f"{told} is {delivery.state}, and was never handed over")
        return
    last = one.calls[-1]
    has_failed = last.ended in ("raised", UNKNOWN) or delivery.id in last.failed
    match delivery.state:
        case "done":
            words = f"{told} is done, and {last.told} had it last"
            run.check("joined-once", not has_failed or last.hit, words)
        case "dead":
            run.check("joined-once", has_failed, f"{told} is dead, and {last.told} was not to fail")
        case "cancelled":
            is_older = delivery.queue == NEWEST and delivery.id not in last.given
            run.check("joined-once", is_older, f"{told} is cancelled: {last.told} had it last")
        case _:
            run.broken("never-stuck", f"{told} is {delivery.state} in the end")
    for call in one.calls[:-1]:
        is_done = call.ended == "done" or (
            call.ended == "failed" and delivery.id not in call.failed
        )
        words = f"{told} was handed over again after {call.told}"
        run.check("joined-once", not is_done or call.hit, words)


def _judge_attempts(run: Run, seen: Iterable[Seen], hits: int) -> None:
    """Hold the attempts that a message has made against what it has failed by itself.

    A worker that is killed before it has noted what it claimed may have claimed one message.
    """
    unseen = 0
    for one in seen:
        own, made = one.own_failures, one.delivery.attempt
        unseen += one.unseen
        words = f"d{one.delivery.id} of {one.delivery.queue} has made {made} attempts"
        run.check("own-failures-count", made <= own + 2, f"{words}, {own} failed by itself")
    words = f"{unseen} attempts are of no failure that was noted, and {hits} workers were hit"
    run.check("own-failures-count", unseen <= hits, words)


def _judge_death(run: Run, one: Seen) -> None:
    if one.delivery.state == "dead":
        most = DECLARED[one.delivery.queue].max_attempts
        ends = one.plan.dies or (most is not None and one.own_failures + 1 >= most)
        words = f"d{one.delivery.id} of {one.delivery.queue} is dead"
        run.check("own-failures-count", ends, f"{words}: it failed {one.own_failures} times")


def _judge_newest(run: Run, known: Mapping[int, Seen], store: Store) -> None:
    """Of a key the newest is handled; what is cancelled was superseded by a newer one's end."""
    newest: dict[str, int] = {}
    for id, one in known.items():
        if one.delivery.queue == NEWEST and one.plan.key:
            newest[one.plan.key] = max(id, newest.get(one.plan.key, 0))
    for id in newest.values():
        state = known[id].delivery.state
        run.check("newest-handled", state == "done", f"d{id} is the newest of its key, and {state}")
    for call in _calls_of(known.values(), NEWEST):
        words = f"{call.told} was given {call.given}"
        run.check("newest-handled", call.given == [max(call.ids)], words)
    cancelled = store.deliveries(queue=NEWEST, state="cancelled", limit=_MOST_DELIVERIES)
    for each in cancelled:
        by = int((each.error or "superseded by d0").rpartition(" d")[2])
        last = known[each.id].calls[-1:]
        ended_by = bool(last) and last[0].given == [by] and known[by].delivery.state == "done"
        words = f"d{each.id} is cancelled, {each.error}"
        run.check("newest-handled", ended_by, words)


def _calls_of(seen: Iterable[Seen], queue: str) -> list[Noted]:
    by_fence = {
        call.fence: call for one in seen if one.delivery.queue == queue for call in one.calls
    }
    return list(by_fence.values())
