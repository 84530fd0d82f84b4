"""A clock for tests."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class FakeClock:
    """Boot and wall clocks that stand still until a test moves them."""

    boot: int = 1_000_000
    wall: int = 1_800_000_000_000
    boot_name: str = "first boot"

    def boot_ms(self) -> int:
        return self.boot

    def wall_ms(self) -> int:
        return self.wall

    def boot_id(self) -> str:
        return self.boot_name

    def advance(self, seconds: float) -> None:
        """Let time pass, on both clocks."""
        self.boot += round(seconds * 1000)
        self.wall += round(seconds * 1000)
