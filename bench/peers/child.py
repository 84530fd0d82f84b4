"""What runs in a process of its own: enqueueing, working, looking up versions."""

from __future__ import annotations

import importlib.metadata
import json
import resource
import sqlite3
import statistics
import sys
import time

from .place import body, here
from .queues import QUEUES
from .turns import take_turns

BATCH = 100
ONES_SECONDS = 2.0


def main() -> None:
    """Run `put`, `turns`, `work`, `prepare`, `recover` or `version` for the queue that is named."""
    verb, name, *rest = sys.argv[1:]
    queue = QUEUES[name]
    match verb:
        case "turns":
            print(json.dumps(take_turns(here(), int(rest[0]), int(rest[1]), rest[2:])))
        case "put":
            first, count, size, many = (int(each) for each in rest)
            print(json.dumps(put(name, first, count, size, bool(many))))
        case "work":
            queue.work(here())
        case "prepare":
            queue.prepare(here())
        case "recover":
            queue.recover(here())
        case "version":
            version = importlib.metadata.version(queue.package)
            print(json.dumps({"version": version, "sqlite3": sqlite3.sqlite_version}))


def put(name: str, first: int, count: int, size: int, many: bool) -> dict[str, object]:
    """Enqueue `count` messages, or one by one what can be put in a while; return what that took."""
    producer = QUEUES[name].producer(here())
    numbers = range(first, first + count)
    bodies = [body(number, size) for number in numbers]
    times = []
    used = _cpu()
    begun = last = time.monotonic()
    if many:
        for start in range(0, count, BATCH):
            producer.put_many(numbers[start : start + BATCH], bodies[start : start + BATCH])
    else:
        for number, each in zip(numbers, bodies, strict=True):
            producer.put(number, each)
            now = time.monotonic()
            times.append(now - last)
            last = now
            if now - begun > ONES_SECONDS:
                break
    ended = time.monotonic()
    return {
        "begun": begun,
        "count": len(times) or count,
        "seconds": ended - begun,
        "cpu": _cpu() - used,
        "p50_ms": statistics.median(times) * 1e3 if times else None,
        "setting": producer.setting(),
    }


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
