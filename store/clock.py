"""The clocks of this machine: a stopwatch that never steps, and the wall's."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Protocol


class HostClock(Protocol):
    """Where time comes from. Tests give their own; production passes nothing."""

    def boot_ms(self) -> int:
        """Milliseconds since boot, suspend included; a wall-clock step does not move it."""
        ...

    def boot_id(self) -> str:
        """What tells this boot from every other."""
        ...

    def wall_ms(self) -> int:
        """Unix time in milliseconds; it may jump either way."""
        ...


class SystemClock:
    """The machine's own clocks.

    Source: clock_gettime(2) for CLOCK_BOOTTIME, random(4) for boot_id.
    """

    if sys.platform == "linux":

        def boot_ms(self) -> int:
            return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000

        def boot_id(self) -> str:
            return Path("/proc/sys/kernel/random/boot_id").read_text().strip()

    else:

        def boot_ms(self) -> int:
            return time.monotonic_ns() // 1_000_000

        def boot_id(self) -> str:
            name = ["sysctl", "-n", "kern.bootsessionuuid"]
            return subprocess.run(name, check=True, capture_output=True, text=True).stdout.strip()

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000
