"""What the machines have in common: two openings of one store, and a clock that is turned."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from fencepost import FencepostError, Store, connect

from ..clock import FakeClock

OPENINGS = st.integers(0, 1)

# Making a store takes longer than all that is done with it, unless it is in memory.
_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None

# On a moment, and a millisecond before and after it.
SECONDS = [0.001, 0.999, 1, 1.001, 4, 4.999, 5, 5.001, 9.999, 10, 10.001, 20, 60]


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


class Refused(Exception):
    """A model refuses a call: with which error, and which facts it carries."""

    def __init__(self, error: type[FencepostError], **facts: object) -> None:
        super().__init__(error.__name__, facts)
        self.error = error
        self.facts = facts


class RolledBack(Exception):
    """Raised by a machine within a transaction."""


def agree(model: Callable[[], Any], store: Callable[[], Any]) -> tuple[Any, Any]:
    """Make a call to both; return both answers, None and None when both refused alike."""
    refusal = None
    try:
        wanted = model()
    except Refused as refused:
        refusal = refused
    if refusal is None:
        return wanted, store()
    with pytest.raises(refusal.error) as told:
        store()
    assert type(told.value) is refusal.error
    assert {fact: getattr(told.value, fact) for fact in refusal.facts} == refusal.facts
    return None, None


class StoreMachine(RuleBasedStateMachine):
    """One store that two openings use in turn, closed and opened again at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.folder = Path(tempfile.mkdtemp(prefix="fencepost-model-", dir=_MEMORY))
        self.path = str(self.folder / "store.db")
        self.stores = [self._open(), self._open()]

    def _open(self) -> Store:
        return connect(self.path, clock=self.clock, durability="normal")

    @property
    def now(self) -> int:
        """Milliseconds on the store's clock."""
        return self.stores[0].engine.clock.now_ms()

    def stopwatch(self, moment: int) -> int:
        """Return what the stopwatch shows, or showed, at a moment of the store's clock."""
        return moment - self.now + self.clock.boot

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
        self.stores[which].close()
        self.stores[which] = self._open()
        self.reopened(which)
        assert [store.engine.clock.now_ms() for store in self.stores] == [before, before]

    @rule(seconds=st.sampled_from([-3600, -7, 0, 7, 3600]))
    def the_machine_reboots(self, seconds: int) -> None:
        self.before_reboot()
        wall = self.clock.wall = self.now + seconds * 1000
        for store in self.stores:
            store.close()
        self.clock.boot_name += "."
        self.clock.boot = 5_000
        self.stores = [self._open(), self._open()]
        assert self.now == self.stores[1].engine.clock.now_ms() >= max(wall, self.newest())
        self.rebooted()
        for which in (0, 1):
            self.reopened(which)

    def moments(self) -> list[int]:
        """When something changes by itself."""
        raise NotImplementedError

    def newest(self) -> int:
        """Before which the clock may not go back when the machine reboots."""
        raise NotImplementedError

    def before_reboot(self) -> None:
        """Called while the store is still open."""

    def rebooted(self) -> None:
        """Tell the model."""
        raise NotImplementedError

    def reopened(self, which: int) -> None:
        """Called when an opening is a new one."""

    def teardown(self) -> None:
        for store in self.stores:
            store.close()
        shutil.rmtree(self.folder)
