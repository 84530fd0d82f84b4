"""Ending a group of which some have failed: these stand aside, the others are done."""

from __future__ import annotations

from collections.abc import Sequence

from ....engine.durable.joins import Apart
from ....engine.queue.claims import Hold
from ...rows.counters import add
from ...session.session import Write
from .. import settle
from . import back


def settle_apart(write: Write, hold: Hold, apart: Sequence[Apart], result: str | None) -> None:
    """Retry or bury what has failed, and mark the others done."""
    failed = {one.delivery: one for one in apart}
    found = back.held(write, hold, "settle", "done", "ready", "dead")
    for one in [Hold(was.id, hold.fence, hold.token) for was in found]:
        if (how := failed.get(one.id)) is None:
            settle.ack_odd(write, one, result)
        elif how.delay_ms is None:
            settle.bury(write, one, how.error)
        else:
            settle.retry(write, one, how.delay_ms, how.error, alone=True)
    if found and hold.counts:
        add(write, [hold.counts])
