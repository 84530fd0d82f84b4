"""Faults in how time is kept."""

from __future__ import annotations

from ...store.sqlite.session import clock
from ...store.sqlite.session.clock import StoreClock
from ..harness.canary import Canary


def _by_the_wall() -> None:
    def now_ms(self: StoreClock) -> int:
        return self._clock.wall_ms()

    StoreClock.now_ms = now_ms  # type: ignore[method-assign]


def _reboot_unseen() -> None:
    clock._EXPIRE = ()  # type: ignore[assignment]


CANARIES = (
    Canary(
        "leases-by-the-wall",
        "leases end by the wall clock",
        scenario="clock",
        trips="one-holder",
        plant=_by_the_wall,
    ),
    Canary(
        "leases-outlive-reboot",
        "a reboot leaves leases as they are",
        scenario="clock",
        trips="handled-again-in-time",
        plant=_reboot_unseen,
    ),
)
