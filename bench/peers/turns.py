"""Enqueueing one by one in turns: one process has each queue on a file open and puts ten at a time.

Whatever else the disk does then meets all of them alike, so their ratios hold on a busy machine.
"""

from __future__ import annotations

import dataclasses
import statistics
import time

from .place import Place, body
from .queues import QUEUES

TURNS = 150
PUTS = 10


def take_turns(place: Place, size: int, turns: int, rows: list[str]) -> list[dict[str, object]]:
    """Return the rate of each row, which is a name and a durability with "=" between.

    `per_second` is by the median turn, and `per_second_mean` by all of them.
    """
    producers = []
    for row in rows:
        name, _, durability = row.partition("=")
        folder = place.folder / row
        folder.mkdir()
        own = dataclasses.replace(place, folder=folder, durability=durability)
        QUEUES[name].prepare(own)
        producers.append(QUEUES[name].producer(own))
    took: list[list[float]] = [[] for _ in rows]
    for turn in range(turns):
        numbers = range(turn * PUTS, (turn + 1) * PUTS)
        bodies = [body(number, size) for number in numbers]
        for times, producer in zip(took, producers, strict=True):
            begun = time.perf_counter()
            for number, each in zip(numbers, bodies, strict=True):
                producer.put(number, each)
            times.append(time.perf_counter() - begun)
    return [
        {
            "row": row,
            "per_second": PUTS / statistics.median(times),
            "per_second_mean": PUTS * turns / sum(times),
        }
        for row, times in zip(rows, took, strict=True)
    ]
