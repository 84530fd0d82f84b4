"""What the store's register says of each worker: its state, its count, its memory, its claim."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

from ...linux.memory import resident_bytes
from ...store.engine import Engine
from ...store.engine.pools.verbs import Report
from ..process.managed_process import ManagedProcess
from ..process.shared_page import Work

_REPORT_SECONDS = 1.0
_MEMORY_SECONDS = 10.0


class _Reported(NamedTuple):
    """What the register was told last.

    Attributes:
        fence: Of the newest claim.
        period: Changes every ten seconds while a handler runs: its memory may have grown.
    """

    state: str = ""
    handled: int = 0
    fence: int = 0
    period: int = 0


_NOTHING = _Reported()


class Reporter:
    """Reports what has changed about the workers, once a second."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reported: dict[int, _Reported] = {}
        self._report_at = 0.0

    def report(self, workers: Sequence[ManagedProcess]) -> None:
        """Tell the register of those workers about which there is news, in one transaction."""
        if time.monotonic() < self._report_at:
            return
        self._report_at = time.monotonic() + _REPORT_SECONDS
        reports, news = {}, {}
        for each in workers:
            work = each.page.work
            if not each.worker or work is None:
                continue
            period = int(time.monotonic() / _MEMORY_SECONDS) if work.claims else 0
            before = self._reported.get(each.worker, _NOTHING)
            news[each.worker] = _Reported(_state(work), work.handled, work.fence, period)
            if news[each.worker] != before:
                reports[each.worker] = _report(work, before, resident_bytes(each.pid))
        if reports:
            self._engine.pools.report(reports)
        self._reported.update(news)

    def last(self, each: ManagedProcess, work: Work) -> Report | None:
        """Return what has not been reported of a worker that has ended; None for nothing."""
        before = self._reported.pop(each.worker or 0, _NOTHING)
        if (work.handled, work.fence) == (before.handled, before.fence) and before != _NOTHING:
            return None
        return _report(work, before, None)


def _state(work: Work) -> str:
    return "busy" if work.claims and work.state == "idle" else work.state


def _report(work: Work, before: _Reported, memory: int | None) -> Report:
    claimed = (work.newest, work.fence) if work.fence != before.fence else None
    return Report(_state(work), work.handled, memory, claimed)
