"""Keeping a paced pool's queues full, until it is enough."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from ...store import connect
from ..harness.child_processes import Me
from ..workloads.noted import enqueue
from .apps.paced import order

_FULL_SECONDS = 0.02
_PLAIN = 0.25


def produce(
    me: Me, folder: Path, queues: Sequence[str], seconds: tuple[float, float], most: int
) -> None:
    """Keep at most so many messages waiting in each queue, to be handled for `seconds`."""
    with connect(folder / "store.db") as store:
        number = 0
        while me.going:
            queue = store.queue(me.random.choice(queues))
            if queue.stats().ready >= most:
                time.sleep(_FULL_SECONDS)
                continue
            body = order(me.random.uniform(*seconds), plain=me.random.random() < _PLAIN)
            enqueue(me.history, queue, f"{me.name}-{number}", body)
            number += 1
