"""One commit for the steps of coroutines that end in the same turn of an event loop."""

from __future__ import annotations

import asyncio
import weakref

from ....store.engine import Engine, Hold
from ....store.types.durable.step import StepRecord
from ..journal import write_records

_Waiting = dict[Engine, list[tuple[Hold, list[StepRecord], asyncio.Future[None]]]]

_waiting: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Waiting] = (
    weakref.WeakKeyDictionary()
)


def written(engine: Engine, hold: Hold, records: list[StepRecord]) -> asyncio.Future[None]:
    """Return what is done once the records are on disk, or has the error why they are not.

    They are written though nobody awaits it any more.
    """
    loop = asyncio.get_running_loop()
    if loop not in _waiting:
        _waiting[loop] = {}
        loop.call_soon(_flush, loop)
    done: asyncio.Future[None] = loop.create_future()
    _waiting[loop].setdefault(engine, []).append((hold, records, done))
    return done


def _flush(loop: asyncio.AbstractEventLoop) -> None:
    for engine, entries in _waiting.pop(loop).items():
        every = [(hold, record) for hold, records, _ in entries for record in records]
        try:
            answers = iter(write_records(engine, every))
        except Exception as error:  # noqa: BLE001 - else those that await it would wait for ever
            for *_, done in entries:
                if not done.done():
                    done.set_exception(error)
            continue
        for _, records, done in entries:
            refused = [error for _, error in zip(records, answers, strict=False) if error]
            if done.done():  # cancelled; its record is there
                continue
            if refused:
                done.set_exception(refused[0])
            else:
                done.set_result(None)
