"""A whole run: the measurements by name, each in a folder that is removed after it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path

from ..stress.machine.trials import machine
from . import end_to_end, idle, store
from .measurement import BODY_BYTES, Figure, Report, Setup, Waits
from .pool import WORKERS

# By name: what it measures, in words.
MEASUREMENTS: dict[str, tuple[str, Callable[[Setup], Sequence[Figure | Waits]]]] = {
    "store": ("enqueue, claim and ack in batches of 1 to 1000", store.measure),
    "pool": ("enqueue to done through 2 workers, with an empty handler", end_to_end.empty),
    "transaction": ("the same with an insert in ctx.transaction()", end_to_end.transaction),
    "prefetch": ("the same with an empty handler and prefetch=1", end_to_end.one_by_one),
    "idle": ("enqueue to the handler's first line, in an idle pool", idle.measure),
}


def run(
    folder: Path,
    *,
    names: Collection[str],
    rounds: int,
    seconds: float,
    on_round: Callable[[str], None],
) -> Report:
    """Measure on the disk of a folder, which must be empty.

    Args:
        names: Of MEASUREMENTS.
        on_round: Told in words what is measured next.

    Raises:
        MeasurementFailed: A pool has not done its work.
        RawError: SQLite failed beside the store.
    """
    started_at, began = datetime.now(UTC), time.monotonic()
    where = machine(folder)
    figures: list[Figure | Waits] = []
    for name, (_, measure) in MEASUREMENTS.items():
        if name in names:
            inner = folder / name
            inner.mkdir()
            figures += measure(Setup(inner, rounds, seconds, on_round))
            shutil.rmtree(inner)
    return Report(
        started_at=started_at.isoformat(timespec="seconds").replace("+00:00", "Z"),
        took_seconds=round(time.monotonic() - began, 1),
        rounds=rounds,
        seconds=seconds,
        body_bytes=BODY_BYTES,
        workers=WORKERS,
        machine=where,
        figures=figures,
    )
