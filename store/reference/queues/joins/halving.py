"""What becomes of a group that failed as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...memory import Write
from ...rows import DeliveryRow
from .. import changes


def halve(
    write: Write,
    rows: Sequence[DeliveryRow],
    *,
    due_ms: int | None,
    **settled: Any,
) -> None:
    """Give back a group that failed: no attempt counts, and each goes with half as many."""
    for place, row in enumerate(rows):
        uncounted = {"attempt": row.attempt - 1, "group_most": (len(rows) + 1) // 2, **settled}
        changes.give_back(write, row, due_ms=None if place else due_ms, **uncounted)
