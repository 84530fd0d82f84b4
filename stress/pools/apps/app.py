"""The app of the pools: handlers that note each try outside the store, and an effect in it.

`fencepost work` runs it in the folder of the store.
"""

from __future__ import annotations

import json
import os
import random
import time
from pathlib import Path

from ....app import App, Context
from ....store import Message
from ...machine.processes import name_of
from ...records.history import Pending, Recorder
from ..environment import plant_canary, worker_lease

QUEUE = "work"

EFFECTS = "create table if not exists effects (key text, fence integer, pid integer)"
_EFFECT = "insert into effects values (?, ?, ?)"
EFFECTS_COUNTER = "effects"

_PAUSE_SECONDS = 0.012

app = App("store.db")


def order(key: str, *, gate: str | None = None) -> bytes:
    """Return the body of a message: the same for the same key.

    One in four is acked without a transaction. The pauses before and after the transaction
    let a kill come in every part of a try. A try at one with a gate goes on once there is a
    file of that name beside the store.
    """
    chance = random.Random(key)
    before, after = (chance.uniform(0, _PAUSE_SECONDS) for _ in range(2))
    plain = chance.random() < 0.25
    return json.dumps({"plain": plain, "before": before, "after": after, "gate": gate}).encode()


class _Notes:
    """The history of a worker, which claims between two calls of its handler."""

    def __init__(self, lease: float) -> None:
        self.history = Recorder(Path("history"), f"worker-{name_of(os.getpid())}")
        self._lease_ms = round(lease * 1000)
        self._claim: Pending
        self.ask()

    def ask(self) -> None:
        """Note that a claim is about to be asked for."""
        self._claim = self.history.begin("claim", queue=QUEUE)

    def claimed(self, message: Message, ctx: Context) -> None:
        """Note what it gave."""
        claim = {"id": message.id, "key": message.key, "fence": ctx.fence}
        self._claim.ok(claims=[{**claim, "lane": None, "lease_ms": self._lease_ms}])


# No number of kills makes a message a dead letter. Its history takes what a handler is called
# with for claimed since the last call: claiming ahead is what the scenario prefetch is for.
@app.task(QUEUE, max_attempts=1_000_000, max_crashes=1_000_000, prefetch=1)
def work(message: Message, ctx: Context) -> None:
    """Do as the message says."""
    assert _notes is not None
    what = {"id": message.id, "key": message.key, "fence": ctx.fence}
    _notes.claimed(message, ctx)
    try:
        told = message.json()
        while told["gate"] is not None and not Path(told["gate"]).exists():
            time.sleep(_PAUSE_SECONDS)
        if not told["plain"]:
            ctx.count(EFFECTS_COUNTER)
        time.sleep(told["before"])
        if told["plain"]:
            # It rides with the next claim, and what came of it nobody is told.
            _notes.history.begin("ack", **what)
            return
        with _notes.history.begin("complete", **what), ctx.transaction() as tx:
            tx.execute(_EFFECT, (message.key, ctx.fence, os.getpid()))
        time.sleep(told["after"])
    finally:
        _notes.ask()


plant_canary()
_notes: _Notes | None = None


@app.worker_started
def begin_notes() -> None:
    """Begin the history of this worker."""
    global _notes
    _notes = _Notes(worker_lease())
