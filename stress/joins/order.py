"""The order of calls of one key: one at a time, and of its messages always the oldest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

from ..harness.run import Run
from .calls import Noted
from .plan import NEWEST
from .seen import Seen


def judge_order(run: Run, seen: Iterable[Seen]) -> None:
    """Judge the calls of each key."""
    keys: dict[tuple[str, str], list[Seen]] = defaultdict(list)
    for one in seen:
        if not one.plan.key:
            continue
        keys[one.delivery.queue, one.plan.key].append(one)
    for (queue, _), members in keys.items():
        by_fence = {call.fence: call for one in members for call in one.calls}
        in_order = [by_fence[fence] for fence in sorted(by_fence)]
        for before, after in pairwise(in_order):
            ended = before.hit or 0 < before.ended_ms <= after.begun_ms
            run.check("joined-as-declared", ended, f"{after.told} began during {before.told}")
        _judge_oldest(run, members, in_order, stands_aside=queue != NEWEST)


def _judge_oldest(
    run: Run, members: Sequence[Seen], calls: Iterable[Noted], *, stands_aside: bool
) -> None:
    """Hold each call against the oldest messages that had not ended then.

    What has failed by itself gives up its place: it may come later, alone. Of a call whose process
    was hit nobody knows how much of its end was stored.
    """
    last = {one.delivery.id: one.calls[-1].fence for one in members if one.calls}
    waiting = sorted(last)
    aside = {one.delivery.id for one in members if stands_aside and one.unseen}
    surely: set[int] = set()
    for call in calls:
        alone = len(call.ids) == 1
        words = f"{call.told} has one that failed by itself"
        run.check("joined-in-order", alone or surely.isdisjoint(call.ids), words)
        if not (alone and call.ids[0] in aside):
            given = set(call.ids)
            for id in waiting:
                if id in given:
                    given.remove(id)
                elif id not in aside:
                    break
                if not given:
                    break
            words = f"{call.told}: older ones had not ended ({waiting[:8]})"
            run.check("joined-in-order", not given, words)
        run.check("joined-in-order", call.ids == sorted(call.ids), f"{call.told} is not in order")
        if stands_aside:
            aside.update(call.failed)
            if not call.hit:
                surely.update(call.failed)
            if alone:
                aside.update(call.ids)
        waiting = [id for id in waiting if last[id] > call.fence]
