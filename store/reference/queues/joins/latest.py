"""A group of which only the newest was handed over: the others end with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...memory import Write
from ...rows import DeliveryRow
from .. import changes


def supersede(write: Write, rows: Sequence[DeliveryRow], newest: int, token: str) -> None:
    """End those that were not handed over."""
    for row in rows:
        if row.id != newest:
            changes.change(
                write,
                row,
                state="cancelled",
                parked=False,
                error=f"superseded by d{newest}",
                due_ms=None,
                until_ms=None,
                token=None,
                settled=token,
                changed_ms=write.now,
            )


def give_back(
    write: Write,
    rows: Sequence[DeliveryRow],
    *,
    due_ms: int | None,
    error: str | None,
    **settled: Any,
) -> None:
    """Give all back, oldest first: the attempt is the newest's, and the oldest waits."""
    for row in rows:
        is_newest = row.id == rows[-1].id
        changes.give_back(
            write,
            row,
            due_ms=due_ms if row.id == rows[0].id else None,
            attempt=row.attempt - (not is_newest),
            error=error if is_newest else row.error,
            **settled,
        )
