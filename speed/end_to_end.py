"""From enqueue to done, through worker processes, beside raw SQLite in one process."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from .measurement import BODY, Figure, Setup, Spread
from .pool import Pool
from .raw import Raw

_BATCH = 1000
_RAW_BATCH = 100
_WARM_UP = 500
_LEAST = 200


def empty(setup: Setup) -> list[Figure]:
    """Measure a handler that does nothing, against raw SQLite in batches."""
    return [_measure(setup, "empty", "end to end", "enqueue, claim and ack by 100", _batches)]


def transaction(setup: Setup) -> list[Figure]:
    """Measure a handler with one insert in ctx.transaction()."""
    says = "enqueue and claim by 100; insert and ack in one transaction each"
    return [_measure(setup, "transaction", "ctx.transaction()", says, _transactions)]


def one_by_one(setup: Setup) -> list[Figure]:
    """Measure a handler that does nothing with prefetch=1, against raw SQLite one by one."""
    says = "enqueue by 100; claim and ack in a transaction each"
    return [_measure(setup, "one", "prefetch=1", says, _one_by_one)]


def _batches(raw: Raw, keys: Sequence[str]) -> None:
    raw.enqueue(keys, BODY)
    raw.ack(raw.claim(len(keys)))


def _one_by_one(raw: Raw, keys: Sequence[str]) -> None:
    raw.enqueue(keys, BODY)
    for _ in keys:
        raw.ack(raw.claim(1))


def _transactions(raw: Raw, keys: Sequence[str]) -> None:
    raw.enqueue(keys, BODY)
    raw.complete(raw.claim(len(keys)))


def _measure(
    setup: Setup, queue: str, name: str, says: str, work: Callable[[Raw, Sequence[str]], None]
) -> Figure:
    ours, theirs, ratios, shares = [], [], [], []
    with Pool(setup.folder / queue, queue) as pool:
        rate = through(pool, _WARM_UP)
        handled = pool.handled()
        for number in setup.each_round(name):
            path = setup.folder / f"{queue}-{number}.db"
            with closing(Raw(path)) as raw:
                before = _raw_rate(raw, setup.seconds / 2, work)
                rate = through(pool, max(_LEAST, int(rate * setup.seconds)))
                after = _raw_rate(raw, setup.seconds / 2, work)
            _remove(path)
            was, handled = handled, pool.handled()
            each = [count - was.get(worker, 0) for worker, count in handled.items()]
            ours.append(rate)
            theirs.append((before + after) / 2)
            ratios.append(ours[-1] / theirs[-1])
            shares.append(min(each) / max(each))
    return Figure(
        name=name,
        per_second=Spread.of(ours),
        raw=says,
        raw_per_second=Spread.of(theirs),
        of_raw=Spread.of(ratios),
        share=Spread.of(shares),
    )


def through(pool: Pool, count: int) -> float:
    """Return the messages a second from the first enqueue to the last that is done."""
    prefix = secrets.token_hex(8)
    began = time.perf_counter()
    for start in range(0, count, _BATCH):
        pool.enqueue([f"{prefix}-{n}" for n in range(start, min(start + _BATCH, count))])
    pool.drain()
    return count / (time.perf_counter() - began)


def _raw_rate(raw: Raw, seconds: float, work: Callable[[Raw, Sequence[str]], None]) -> float:
    done, began = 0, time.perf_counter()
    while (took := time.perf_counter() - began) < seconds or not done:
        prefix = secrets.token_hex(8)
        work(raw, [f"{prefix}-{n}" for n in range(_RAW_BATCH)])
        done += _RAW_BATCH
    return done / took


def _remove(path: Path) -> None:
    for each in path.parent.glob(f"{path.name}*"):
        each.unlink()
