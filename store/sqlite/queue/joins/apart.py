"""Ending a group of which some have failed: these stand aside, the others are done."""

from __future__ import annotations

from collections.abc import Sequence

from ....engine.durable.joins import Apart
from ....engine.queue.claims import Hold
from ...rows.counters import add
from ...session.session import Write
from .. import settle
from ..holding import settled_already
from .back import parts

_ENDS = ("done", "ready", "dead")


def settle_apart(write: Write, hold: Hold, apart: Sequence[Apart], result: str | None) -> None:
    """Retry or bury what has failed, and mark the others done."""
    each = [Hold(id, hold.fence, hold.token) for id in (hold.id, *hold.joined)]
    if all(any(settled_already(write, one, state) for state in _ENDS) for one in each):
        return
    parts(write, hold, "settle", "done", done=True)
    failed = {one.delivery: one for one in apart}
    for one in each:
        if (how := failed.get(one.id)) is None:
            settle.ack_odd(write, one, result)
        elif how.delay_ms is None:
            settle.bury(write, one, how.error)
        else:
            settle.retry(write, one, how.delay_ms, how.error, alone=True)
    if hold.counts:
        add(write, [hold.counts])
