"""The app of pools that nobody kills: every try, how it went, and an effect in the store.

`fencepost work` runs it in the folder of the store.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ....app import App, Context
from ....store import Message
from ...machine.processes import name_of
from ...records.history import Recorder
from ..environment import plant_canary

SYNC, ASYNC, LIMITED = "sync", "async", "limited"
MOST_LEASED = 4

EFFECTS = "create table effects (key text, fence integer, pid integer)"
_EFFECT = "insert into effects values (?, ?, ?)"

_PAUSE_SECONDS = 0.01

app = App("store.db")


def order(seconds: float, *, plain: bool = False, gate: str | None = None) -> bytes:
    """Return the body of a message that is handled for so many seconds.

    A plain one has no transaction. One with a gate is handled until there is a file of that
    name beside the store.
    """
    return json.dumps({"seconds": seconds, "plain": plain, "gate": gate}).encode()


@app.task(SYNC)
def work(message: Message, ctx: Context) -> None:
    """Do as the message says."""
    with _noted("sync", message, ctx) as (told, history):
        time.sleep(told["seconds"])
        while _is_shut(told["gate"]):
            time.sleep(_PAUSE_SECONDS)
        _finish(told, history, message, ctx)


@app.task(LIMITED, max_leased=MOST_LEASED)
def limited(message: Message, ctx: Context) -> None:
    """Do as the message says, with few others."""
    work(message, ctx)


@app.task(ASYNC, concurrency=2)
async def work_async(message: Message, ctx: Context) -> None:
    """Do as the message says, while others are in work."""
    with _noted("async", message, ctx) as (told, history):
        await asyncio.sleep(told["seconds"])
        while _is_shut(told["gate"]):
            await asyncio.sleep(_PAUSE_SECONDS)
        _finish(told, history, message, ctx)


@contextmanager
def _noted(
    thread: str, message: Message, ctx: Context
) -> Iterator[tuple[dict[str, Any], Recorder]]:
    history = _histories[thread]
    try:
        history.seen("tried", key=message.key, attempt=ctx.attempt, pool=_pool)
        yield message.json(), history
    except BaseException as error:
        history.seen("failed", key=message.key, says=repr(error))
        raise


def _is_shut(gate: str | None) -> bool:
    return gate is not None and not Path(gate).exists()


def _finish(told: dict[str, Any], history: Recorder, message: Message, ctx: Context) -> None:
    what = {"id": message.id, "key": message.key, "fence": ctx.fence}
    if told["plain"]:
        history.begin("ack", **what)  # it rides with the next claim
        return
    with history.begin("complete", **what), ctx.transaction() as tx:
        tx.execute(_EFFECT, (message.key, ctx.fence, os.getpid()))


plant_canary()
_pool = name_of(os.getppid())
_histories: dict[str, Recorder] = {}


@app.worker_started
def begin_histories() -> None:
    """Begin the histories of this worker."""
    for thread in ("sync", "async"):
        _histories[thread] = Recorder(Path("history"), f"worker-{name_of(os.getpid())}-{thread}")
