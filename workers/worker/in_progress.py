"""The deliveries that a worker is running, as it tells its supervisor."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...store.engine import Engine, Hold
from ...store.local_lease import LocalLease
from ..process.shared_page import DONE, ENDED, RUNNING, STATES, UNBEGUN, SharedPage


class SupervisedLease(LocalLease):
    """The lease of a claim, which the supervisor renews and tells of by the page."""

    def __init__(
        self,
        engine: Engine,
        page: SharedPage,
        *,
        answered_ms: int,
        ends_ms: int,
        fence: int,
        on_extended: Callable[[int, int], None],
    ) -> None:
        """Take what is known at the start.

        Args:
            answered_ms: When the store had answered the claim, on the stopwatch.
            on_extended: Called with the fence and when the lease ends then.
        """
        super().__init__(engine, ends_ms=ends_ms)
        self._page = page
        self._answered_ms = answered_ms
        self._fence = fence
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
        self._on_extended(self._fence, self._ends_ms)

    @property
    def least_ends_ms(self) -> int:
        """When it ends at the soonest, on the stopwatch, without a look at the page."""
        return self._ends_ms


class InProgress:
    """Tells the supervisor, by the shared page, what to renew and when to kill.

    Attributes:
        ended: How many attempts have ended.
    """

    def __init__(self, engine: Engine, page: SharedPage) -> None:
        self._engine = engine
        self._page = page
        self._claimed: dict[int, tuple[int, int, int]] = {}
        # Of the batch: the place of each fence in it, and when its claim was answered.
        self._places: dict[int, int] = {}
        self._name = 0
        self._answered_ms = 0
        self._handled = self._newest = self._fence = self._known = 0
        self._state = STATES.index("starting")
        self.ended = 0

    def note(self, fences: Sequence[int], *, ahead: bool) -> None:
        """Tell of what was claimed just now, before any of it begins; the last batch is settled.

        Args:
            ahead: It is handled one after the other, and some may be given back.
        """
        batch = fences if ahead else ()
        if batch or self._places:
            self._answered_ms = self._engine.clock.stopwatch_ms()
            self._places = {fence: place for place, fence in enumerate(batch)}
            self._name = batch[0] if batch else 0
            self._page.begin_batch(self._answered_ms, batch)
        if fences:
            self._known = max(self._known, *fences)
            self.tell()

    def begin(self, hold: Hold, ends_ms: int, timeout: float | None = None) -> SupervisedLease:
        """Tell of a handler that starts: its lease is renewed until `end`.

        Args:
            ends_ms: Until when the lease may be believed in, on the stopwatch.
            timeout: Seconds after which the supervisor kills this process, until `end`.
        """
        id, fence = hold.id, hold.fence
        now_ms = self._engine.clock.stopwatch_ms()
        kill_at_ms = 0 if timeout is None else now_ms + round(timeout * 1000)
        # By the fence: it may claim a delivery again whose first handler has not ended yet.
        self._claimed[fence] = id, ends_ms, kill_at_ms
        self._newest, self._fence = id, fence
        self._known = max(self._known, fence)
        in_batch = self._move(fence, RUNNING)
        self.tell()
        return SupervisedLease(
            self._engine,
            self._page,
            answered_ms=self._answered_ms if in_batch else now_ms,
            ends_ms=ends_ms,
            fence=fence,
            on_extended=self._extend,
        )

    def is_taken(self, hold: Hold) -> bool:
        """True if the supervisor takes back what has not begun of a delivery's batch.

        Ask after `begin`. The supervisor says so first and looks then, so one of the two
        sees the other, and the delivery is not begun here and elsewhere.
        """
        return hold.fence in self._places and self._page.taken == self._name

    def not_begun(self, hold: Hold) -> None:
        """Take back that a handler starts."""
        self._claimed.pop(hold.fence, None)
        self._move(hold.fence, UNBEGUN)
        self.tell()

    def _extend(self, fence: int, ends_ms: int) -> None:
        if fence in self._claimed:
            id, _, kill_at_ms = self._claimed[fence]
            self._claimed[fence] = id, ends_ms, kill_at_ms
            self.tell()

    def end(self, hold: Hold, *, done: bool = False, handled: bool = False) -> None:
        """Tell of a handler that has ended.

        Args:
            done: Nothing is left of it but the ack.
            handled: Not even that: count it, as `settled` does.
        """
        self._claimed.pop(hold.fence, None)
        if handled:
            self.ended += 1
            self._handled += 1
        self._move(hold.fence, DONE if done else ENDED)
        self.tell()

    def settled(self, *, handled: int, ended: int = 1) -> None:
        """Count attempts whose outcome is settled, and how many of them were handled."""
        self.ended += ended
        self._handled += handled
        self.tell()

    @property
    def age_ms(self) -> int:
        """How long ago the claim of the batch was answered."""
        return self._engine.clock.stopwatch_ms() - self._answered_ms

    @property
    def fences(self) -> list[int]:
        """The fences of the running deliveries."""
        return list(self._claimed)

    def say(self, state: str) -> None:
        """Tell the worker's state; it counts as busy while a handler runs."""
        self._state = STATES.index(state)
        self.tell()

    def _move(self, fence: int, stage: int) -> bool:
        """Say how far a delivery is; False if it is none of the batch."""
        if (place := self._places.get(fence)) is None:
            return False
        self._page.move(place, stage)
        return True

    def tell(self) -> None:
        """Write all of it to the page."""
        claimed = self._claimed
        id = ends_ms = kill_at_ms = kill_for = 0
        if len(claimed) == 1:
            ((id, ends_ms, kill_at_ms),) = claimed.values()
            kill_for = id if kill_at_ms else 0
        elif claimed:
            id = next(iter(claimed.values()))[0]
            ends_ms = min(ends for _, ends, _ in claimed.values())
            kills = [(kill, each) for each, _, kill in claimed.values() if kill]
            kill_at_ms, kill_for = min(kills, default=(0, 0))
        self._page.tell(
            len(claimed),
            id,
            ends_ms,
            kill_at_ms,
            kill_for,
            self._handled,
            self._newest,
            self._fence,
            self._state,
            self._known,
        )
