"""Faults in how room is kept on the disk."""

from __future__ import annotations

from ...store.sqlite.file import space
from ..harness.canary import Canary


def _no_reserve() -> None:
    def is_short(path: str, grows: int, pending: int) -> bool:
        return False

    def load_ballast(path: str) -> bool:
        return False

    space.is_short, space.load_ballast = is_short, load_ballast


CANARIES = (
    Canary(
        "keeps-no-room",
        "no room is kept for finishing what is stored",
        scenario="disk",
        trips="never-stuck",
        plant=_no_reserve,
    ),
)
