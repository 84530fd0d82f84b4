"""The deliveries that a worker is running, as it tells its supervisor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from ...store.engine import Engine, Hold
from ...store.local_lease import LocalLease
from ..process.shared_page import SharedPage, Work


class SupervisedLease(LocalLease):
    """The lease of a claim, which the supervisor renews and tells of by the page."""

    def __init__(
        self,
        engine: Engine,
        page: SharedPage,
        *,
        answered_ms: int,
        ends_ms: int,
        on_extended: Callable[[int], None],
    ) -> None:
        """`answered_ms` is when the store had answered the claim, on the stopwatch."""
        super().__init__(engine, ends_ms=ends_ms)
        self._page = page
        self._answered_ms = answered_ms
        self._on_extended = on_extended

    @property
    def ends_ms(self) -> int:
        """When it ends, on the stopwatch."""
        if (done := self._page.renewal) and done.since_ms <= self._answered_ms <= done.asked_ms:
            super().extend(done.until_ms)
        return self._ends_ms

    def extend(self, ends_ms: int) -> None:
        """Let it end then: the store has said so. The supervisor is told."""
        super().extend(ends_ms)
        self._on_extended(self._ends_ms)


class InProgress:
    """Tells the supervisor, by the shared page, what to renew and when to kill.

    Attributes:
        ended: How many attempts have ended.
    """

    def __init__(self, engine: Engine, page: SharedPage) -> None:
        self._engine = engine
        self._page = page
        self._work = Work()
        self._claimed: dict[int, tuple[int, int, int]] = {}
        self.ended = 0

    def begin(self, hold: Hold, ends_ms: int, timeout: float | None = None) -> SupervisedLease:
        """Tell of a handler that starts: its lease is renewed until `end`.

        Args:
            ends_ms: Until when the lease may be believed in, on the stopwatch.
            timeout: Seconds after which the supervisor kills this process, until `end`.
        """
        now_ms = self._engine.clock.stopwatch_ms()
        kill_at_ms = 0 if timeout is None else now_ms + round(timeout * 1000)
        # By the fence: it may claim a delivery again whose first handler has not ended yet.
        self._claimed[hold.fence] = hold.id, ends_ms, kill_at_ms
        self._tell(newest=hold.id, fence=hold.fence)
        return SupervisedLease(
            self._engine,
            self._page,
            answered_ms=now_ms,
            ends_ms=ends_ms,
            on_extended=partial(self._extend, hold.fence),
        )

    def _extend(self, fence: int, ends_ms: int) -> None:
        if fence in self._claimed:
            id, _, kill_at_ms = self._claimed[fence]
            self._claimed[fence] = id, ends_ms, kill_at_ms
            self._tell()

    def end(self, hold: Hold) -> None:
        """Tell of a handler that has ended."""
        self._claimed.pop(hold.fence, None)
        self._tell()

    def settled(self, *, handled: bool) -> None:
        """Count an attempt whose outcome is settled."""
        self.ended += 1
        self._tell(handled=self._work.handled + handled)

    @property
    def fences(self) -> list[int]:
        """The fences of the running deliveries."""
        return list(self._claimed)

    def say(self, state: str) -> None:
        """Tell the worker's state; it counts as busy while a handler runs."""
        self._tell(state=state)

    def _tell(self, **changed: Any) -> None:
        claimed = list(self._claimed.values())
        kill_at_ms, kill_for = min(((kill, id) for id, _, kill in claimed if kill), default=(0, 0))
        self._work = replace(
            self._work,
            claims=len(claimed),
            delivery=claimed[0][0] if claimed else 0,
            ends_ms=min((ends for _, ends, _ in claimed), default=0),
            kill_at_ms=kill_at_ms,
            kill_for=kill_for,
            **changed,
        )
        self._page.work = self._work
