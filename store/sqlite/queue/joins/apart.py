"""Ending a group of which some have failed: these stand aside, the others are done."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from ....engine.durable.joins import Apart
from ....engine.queue.claims import Hold
from ...rows.counters import add
from ...session.session import Write
from .. import counters, lanes, settle
from ..transitions import Standing
from . import back, together

# One that does not wait keeps its place, and goes alone from there.
_ASIDE = """
update fp_delivery
set state = 'ready', due_at_ms = value ->> 1,
    behind = max(behind, lane is not null and value ->> 1 is not null),
    error = value ->> 2, token = null, settled_token = :token, lease_until_ms = null,
    changed_at_ms = :now, group_most = 1, lane_policy = 'skip'
from json_each(:apart)
where fp_delivery.id = value ->> 0 and fence = :fence and token = :token and state = 'leased'
"""


def settle_apart(write: Write, hold: Hold, apart: Sequence[Apart], result: str | None) -> None:
    """Retry or bury what has failed, and mark the others done.

    What dies does so one by one: the app is told of each.
    """
    found = back.held(write, hold, "settle", "done", "ready", "dead")
    if not found:
        return
    failed = {one.delivery: one for one in apart}
    together.done(write, hold, [was for was in found if was.id not in failed], result)
    having_failed = [was for was in found if was.id in failed]
    dead = [was for was in having_failed if _is_last(was, failed[was.id], write.now_ms)]
    _stand_aside(write, hold, [was for was in having_failed if was not in dead], failed)
    for was in dead:
        settle.bury(write, Hold(was.id, hold.fence, hold.token), failed[was.id].error)
    if hold.counts:
        add(write, [hold.counts])


def _is_last(was: Standing, how: Apart, now_ms: int) -> bool:
    return how.delay_ms is None or was.is_exhausted(now_ms)


def _stand_aside(
    write: Write, hold: Hold, found: Sequence[Standing], failed: Mapping[int, Apart]
) -> None:
    if not found:
        return
    apart, waiting = [], 0
    for was in found:
        how = failed[was.id]
        waiting += bool(how.delay_ms)
        due = write.now_ms + how.delay_ms if how.delay_ms else None
        apart.append((was.id, due, how.error))
    proof = {"fence": hold.fence, "token": hold.token}
    given = {"apart": json.dumps(apart), "now": write.now_ms}
    write.must(_ASIDE, {**proof, **given}, change=len(found))
    queue, bytes = found[0].queue, sum(was.bytes for was in found)
    counters.moved(write, queue, "leased", "ready", bytes, len(found))
    if waiting:
        counters.scheduled(write, queue, waiting)
    write.wakes = True
    if waiting and found[0].lane is not None:
        lanes.advance(write, queue, found[0].lane)
