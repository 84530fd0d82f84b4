"""Producers that can be killed at little cost: forked, again and again, by a child of theirs."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

from ...store import connect
from ...store.errors import QueueFull
from ...workers.orphan import die_with_parent
from ..fleet import Me
from ..history import Recorder
from .app import QUEUE, order
from .processes import name_of

_PAUSE_SECONDS = 0.015
_FULL_SECONDS = 0.05
_OLD = 0.25


def produce(me: Me, folder: Path, slot: int) -> None:
    """Have a producer at work until it is enough; a dead one is followed by another."""
    generation = 0
    while me.going:
        parent = os.getpid()
        seed = me.random.random()
        producer = os.fork()
        if producer == 0:
            try:
                die_with_parent(parent)
                _enqueue(me, folder, slot, generation, random.Random(seed))
            finally:
                os._exit(0)
        os.waitpid(producer, 0)
        generation += 1


def _enqueue(me: Me, folder: Path, slot: int, generation: int, chance: random.Random) -> None:
    """Enqueue new keys, and now and then one that others have or will have enqueued."""
    history = Recorder(folder / "history", f"producer-{name_of(os.getpid())}")
    with connect(folder / "store.db") as store:
        queue = store.queue(QUEUE)
        number = 0
        while me.going:
            key = f"{slot}-{generation}-{number}"
            number += 1
            if chance.random() < _OLD:
                whose = max(0, generation - chance.randrange(3))
                key = f"{chance.randrange(3)}-{whose}-{chance.randrange(number + 3)}"
            try:
                with history.begin("enqueue", queue=QUEUE, key=key, lane=None) as pending:
                    receipt = queue.enqueue(order(key), key=key)
                    pending.ok(status=receipt.status, message_id=receipt.message_id)
            except QueueFull:
                time.sleep(_FULL_SECONDS)
            time.sleep(chance.uniform(0, _PAUSE_SECONDS))
