"""Producers that can be killed at little cost: forked, again and again, by a child of theirs."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

from ...store import connect
from ...store.errors import QueueFull
from ..harness.child_processes import Me
from ..harness.waiting import PATIENCE_SECONDS
from ..machine.forked import forked
from ..machine.processes import name_of
from ..records.history import Recorder
from ..workloads.noted import enqueue
from .apps.app import QUEUE, order

_PAUSE_SECONDS = 0.015
_FULL_SECONDS = 0.05
_OLD = 0.25


def produce(me: Me, folder: Path, slot: int) -> None:
    """Have a producer at work until it is enough; a dead one is followed by another."""
    generation = 0
    while me.going:
        chance = random.Random(me.random.random())
        code = forked(_enqueue, me, folder, slot, generation, chance)
        if code not in (0, -signal.SIGKILL):
            raise RuntimeError(f"a producer ended with {code}")
        generation += 1


def _enqueue(me: Me, folder: Path, slot: int, generation: int, chance: random.Random) -> None:
    """Enqueue new keys, and now and then one that others have or will have enqueued."""
    history = Recorder(folder / "history", f"producer-{name_of(os.getpid())}")
    with connect(folder / "store.db", busy_timeout=PATIENCE_SECONDS) as store:
        queue = store.queue(QUEUE)
        number = 0
        while me.going:
            key = f"{slot}-{generation}-{number}"
            number += 1
            if chance.random() < _OLD:
                whose = max(0, generation - chance.randrange(3))
                key = f"{chance.randrange(3)}-{whose}-{chance.randrange(number + 3)}"
            try:
                enqueue(history, queue, key, order(key))
            except QueueFull:
                time.sleep(_FULL_SECONDS)
            time.sleep(chance.uniform(0, _PAUSE_SECONDS))
