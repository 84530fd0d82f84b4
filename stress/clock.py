"""A clock that a scenario turns."""

from __future__ import annotations


class ManualClock:
    """Boot and wall clocks that stand still between two calls of `advance`."""

    def __init__(self, boot: int = 1) -> None:
        self._boot = boot
        self._boot_ms = 1_000_000
        self._wall_ms = 1_800_000_000_000

    def boot_ms(self) -> int:
        return self._boot_ms

    def wall_ms(self) -> int:
        return self._wall_ms

    def boot_id(self) -> str:
        return f"boot {self._boot}"

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._boot_ms += round(seconds * 1000)
        self._wall_ms += round(seconds * 1000)

    def rebooted(self) -> ManualClock:
        """Return the clock of the machine after a reboot now."""
        after = ManualClock(self._boot + 1)
        after._boot_ms = 10_000
        after._wall_ms = self._wall_ms + 10_000
        return after
