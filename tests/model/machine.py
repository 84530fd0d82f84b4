"""What the machines have in common: one store on both engines, and a clock that is turned."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from fencepost import FencepostError, Store, connect
from fencepost.store.reference.engine import PlainEngine
from fencepost.store.reference.memory import Memory
from fencepost.store.reference.tables import Tables
from fencepost.store.reference.upkeep import broken

from ..clock import FakeClock
from ..sqlite import invariants

T = TypeVar("T")

OPENINGS = st.integers(0, 1)

# Making a store takes longer than all that is done with it, unless it is in memory.
_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None

# On a moment, and a millisecond before and after it.
SECONDS = [0.001, 0.999, 1, 1.001, 4, 4.999, 5, 5.001, 9.999, 10, 10.001, 20, 60]

_FACTS = ("code", "cause", "holder", "expires_at", "retry_after")


def profile(*, examples: int, steps: int) -> settings:
    """Return how long a machine runs; HYPOTHESIS_PROFILE=long overrides it."""
    common: dict[str, Any] = {
        "deadline": None,
        "database": None,
        "suppress_health_check": list(HealthCheck),
        "report_multiple_bugs": False,
    }
    if os.environ.get("HYPOTHESIS_PROFILE") == "long":
        count = int(os.environ.get("HYPOTHESIS_EXAMPLES", "5000"))
        return settings(**common, max_examples=count, stateful_step_count=80, print_blob=True)
    return settings(
        **common,
        max_examples=examples,
        stateful_step_count=steps,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
    )


class RolledBack(Exception):
    """Raised by a machine within a transaction."""


class Pair:
    """What both stores gave out in one call: that of SQLite, and that of the reference."""

    def __init__(self, sqlite: Any, plain: Any) -> None:
        self.sqlite = sqlite
        self.plain = plain

    def of(self, store: Store) -> Any:
        """Return the one that belongs to a store."""
        return self.plain if isinstance(store.engine, PlainEngine) else self.sqlite


class StoreMachine(RuleBasedStateMachine):
    """One store that two openings use in turn, closed and opened again at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.folder = Path(tempfile.mkdtemp(prefix="fencepost-model-", dir=_MEMORY))
        self.path = str(self.folder / "store.db")
        self.memory = Memory()
        self.stores = [self._open(), self._open()]
        self.plain = [self._open_plain(), self._open_plain()]
        assert self.plain[0].engine.clock.now_ms() == self.now

    def _open(self) -> Store:
        return connect(self.path, clock=self.clock, durability="normal")

    def _open_plain(self) -> Store:
        return Store(PlainEngine(self.clock, self.memory))

    @property
    def now(self) -> int:
        """Milliseconds on the store's clock."""
        return self.stores[0].engine.clock.now_ms()

    @property
    def tables(self) -> Tables:
        """All that the reference holds."""
        return self.memory.tables

    def both(self, which: int, call: Callable[[Store], T]) -> tuple[T | None, T | None]:
        """Make a call to both, each at the same time; return both answers.

        None and None when both refused it alike, with the same error and the same facts.
        """
        began = self.clock.boot, self.clock.wall
        refusal, answer = _refusal(lambda: call(self.stores[which]))
        ended = self.clock.boot, self.clock.wall
        self.clock.boot, self.clock.wall = began
        wanted, reference = _refusal(lambda: call(self.plain[which]))
        assert (self.clock.boot, self.clock.wall) == ended
        assert refusal == wanted
        return answer, reference

    def same(
        self, which: int, call: Callable[[Store], T], shown: Callable[[T], Any] = lambda one: one
    ) -> T | None:
        """Make a call to both, and require the same answer, as far as it is shown."""
        answer, reference = self.both(which, call)
        if answer is not None and reference is not None:
            assert shown(answer) == shown(reference)
        else:
            assert answer is reference
        return answer

    @rule(seconds=st.sampled_from(SECONDS))
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(edge=st.integers(0, 3), off=st.sampled_from([-1, 0, 1]))
    def time_passes_up_to_a_moment(self, edge: int, off: int) -> None:
        ahead = sorted(moment for moment in set(self.moments()) if moment + off > self.now)
        if ahead:
            self.clock.advance((ahead[min(edge, len(ahead) - 1)] + off - self.now) / 1000)

    @rule(hours=st.sampled_from([-9, -1, 1, 9]))
    def the_wall_clock_steps(self, hours: int) -> None:
        before = self.now
        self.clock.wall += hours * 3_600_000
        assert self.now == before

    @rule(which=OPENINGS)
    def reopen(self, which: int) -> None:
        before = self.now
        for stores, opened in ((self.stores, self._open), (self.plain, self._open_plain)):
            stores[which].close()
            stores[which] = opened()
        self.reopened(which)
        clocks = [store.engine.clock.now_ms() for store in (*self.stores, *self.plain)]
        assert clocks == [before] * 4

    @rule(seconds=st.sampled_from([-3600, -7, 0, 7, 3600]))
    def the_machine_reboots(self, seconds: int) -> None:
        wall = self.clock.wall = self.now + seconds * 1000
        for store in (*self.stores, *self.plain):
            store.close()
        self.clock.boot_name += "."
        self.clock.boot = 5_000
        self.stores = [self._open(), self._open()]
        assert self.now == self.stores[1].engine.clock.now_ms() >= max(wall, self.newest())
        # How far it goes on from the wall clock is for the engine to say.
        self.memory.begin_boot(self.clock, self.now)
        self.plain = [self._open_plain(), self._open_plain()]
        for which in (0, 1):
            self.reopened(which)

    def moments(self) -> list[int]:
        """When something changes by itself."""
        raise NotImplementedError

    def newest(self) -> int:
        """Before which the clock may not go back when the machine reboots."""
        raise NotImplementedError

    def reopened(self, which: int) -> None:
        """Called when an opening is a new one."""

    def check(self) -> None:
        """Fail when one of the two is not as it must be between two transactions."""
        invariants.check(self.path)
        assert broken(self.tables) == []

    def teardown(self) -> None:
        for store in (*self.stores, *self.plain):
            store.close()
        shutil.rmtree(self.folder)


def _refusal(call: Callable[[], T]) -> tuple[tuple[Any, ...] | None, T | None]:
    """Return why a call was refused, or its answer."""
    try:
        return None, call()
    except RolledBack as error:
        return (type(error),), None
    except FencepostError as error:
        return (type(error), *(getattr(error, fact, None) for fact in _FACTS)), None
