"""How soon who waits for a message is woken by its end, and what it costs to wait for many.

    .venv/bin/python bench/waiting.py [--json]

Another process ends the messages. Prints the time from before its ack to the return of
`receipt.wait`, with the share of it that the ack took; and the share of one core that waiting
for 1,000 messages takes while none of them ends.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from fencepost import Ended, connect
from fencepost.stress.records.percentiles import quantiles

_WORKER = """
import sys, time
from fencepost import connect
queue = connect(sys.argv[1]).queue("work")
for _ in sys.stdin:
    (claim,) = queue.claim()
    began = time.monotonic()
    claim.ack()
    print(began, time.monotonic(), flush=True)
"""


def main() -> None:
    """Wait for messages one by one, then for many of which none ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=300)
    parser.add_argument("--many", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=10.0, help="of waiting for many")
    parser.add_argument("--folder", help="on the disk to measure")
    parser.add_argument("--json", action="store_true")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=told.folder) as folder:
        path = str(Path(folder, "store.db"))
        woken, acks = _one_by_one(path, told.messages)
        figures = {
            "woken_ms": quantiles(woken),
            "ack_ms": quantiles(acks),
            "ack_share": statistics.median(acks) / statistics.median(woken),
            "waiting_cpu": asyncio.run(_many(path, told.many, told.seconds)),
        }
    print(json.dumps(figures, indent=2 if told.json else None))


def _one_by_one(path: str, messages: int) -> tuple[list[float], list[float]]:
    woken, acks = [], []
    with connect(path) as store:
        queue = store.queue("work")
        worker = subprocess.Popen(
            [sys.executable, "-c", _WORKER, path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert worker.stdin is not None
        assert worker.stdout is not None
        for _ in range(messages):
            receipt = queue.enqueue(b"x")
            store.engine.durable.ends.listen([receipt.message_id])
            worker.stdin.write("\n")
            worker.stdin.flush()
            assert receipt.wait() == Ended("done")
            at = time.monotonic()
            began, ended = map(float, worker.stdout.readline().split())
            woken.append((at - began) * 1000)
            acks.append((ended - began) * 1000)
        worker.communicate()
    return woken, acks


async def _many(path: str, many: int, seconds: float) -> float:
    with connect(path) as store:
        receipts = store.queue("work").enqueue_many([{"body": b"x"}] * many)
        waiting = [asyncio.ensure_future(receipt.done()) for receipt in receipts]
        while store.engine.durable.ends.waiting.count < many:
            await asyncio.sleep(0.1)
        before = time.process_time()
        await asyncio.sleep(seconds)
        used = (time.process_time() - before) / seconds
        store.queue("work").ack_many(store.queue("work").claim(limit=many))
        await asyncio.gather(*waiting)
        return used


if __name__ == "__main__":
    main()
