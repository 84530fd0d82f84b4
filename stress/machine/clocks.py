"""Clocks that go wrong: a machine's, in a time of its own, and the wall's of real processes."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from pathlib import Path

from ...store.clock import SystemClock

SECOND = 1000
HOUR = 3600 * SECOND
YEAR = 365 * 24 * HOUR

# A wall clock to begin with.
WALL = 1_800_000_000 * SECOND

# When 32 bits of seconds are over.
Y2038 = 2**31 * SECOND


class Machine:
    """The clocks of a machine whose time passes when it is told to.

    Attributes:
        passed: Milliseconds that have really passed; reboots take none.
    """

    def __init__(self, wall: int) -> None:
        self.passed = 0
        self._booted = -50_000
        self._boots = 1
        self._wall = wall
        self._rate = 1.0

    def boot_ms(self) -> int:
        return self.passed - self._booted

    def boot_id(self) -> str:
        return f"boot {self._boots}"

    def wall_ms(self) -> int:
        return self._wall

    def advance(self, ms: int) -> None:
        """Let time pass, suspended or not."""
        self.passed += ms
        self._wall += round(ms * self._rate)

    def step(self, ms: int) -> None:
        """Set the wall clock."""
        self._wall += ms

    def slew(self, rate: float) -> None:
        """Let the wall clock go at another rate from now on."""
        self._rate = rate

    def reboot(self) -> None:
        """Begin anew: the boot clock at almost nothing."""
        self._boots += 1
        self._booted = self.passed - SECOND

    def rebooted(self) -> Machine:
        """Return the clocks of a machine like this one, rebooted now."""
        other = copy(self)
        other.reboot()
        return other


class FaultyClock(SystemClock):
    """The real clocks of one process of a machine that reboots when its scenario says so.

    Where the library that fakes the wall clock is not there, it does so by itself.
    """

    def __init__(self, folder: Path, *, fakes_wall: bool) -> None:
        self._wall = folder / "wall" if fakes_wall else None
        self._boot, shift = (folder / "boot").read_text().split()
        self._shift_ms = int(shift)

    def boot_ms(self) -> int:
        return super().boot_ms() - self._shift_ms

    def boot_id(self) -> str:
        return self._boot

    def wall_ms(self) -> int:
        offset = float(self._wall.read_text() or 0) if self._wall else 0.0
        return super().wall_ms() + round(offset * SECOND)


def set_wall(folder: Path, seconds: float) -> None:
    """Set the wall clock of all processes so far from the true time."""
    new = folder / "wall.new"
    new.write_text(f"{seconds:+.3f}")
    new.rename(folder / "wall")


def set_boot(folder: Path, name: str, booted_ms: int) -> None:
    """Let processes that start from now on be of a boot that began at this boot clock time."""
    (folder / "boot").write_text(f"{name} {booted_ms}")


def library() -> Path | None:
    """Return libfaketime, None where it is not installed."""
    places = [
        Path(sysconfig.get_path("purelib"), "libfaketime/vendor/libfaketime/src"),
        *Path("/usr/lib").glob("*/faketime"),
    ]
    found = (place / "libfaketime.so.1" for place in places)
    return next((path for path in found if path.exists()), None)


@contextmanager
def preloaded(path: Path | None, folder: Path) -> Iterator[None]:
    """Have processes that are started within the block see the wall clock of set_wall."""
    before = dict(os.environ)
    if path is not None:
        os.environ |= {
            "LD_PRELOAD": str(path),
            "FAKETIME_TIMESTAMP_FILE": str(folder / "wall"),
            "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }
    try:
        yield
    finally:
        os.environ.clear()
        os.environ |= before
