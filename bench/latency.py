"""How soon an idle pool begins a message, and what it costs to be idle.

    .venv/bin/python bench/latency.py [--json]

Prints, for 4 workers: the wait from before enqueue to the handler's first line, the share of
one core that a worker and the supervisor use while nothing happens, and the memory that is
theirs alone.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import tempfile
import time
from pathlib import Path

import msgspec

from fencepost.speed.idle import waits_of
from fencepost.speed.pool import Pool
from fencepost.stress.machine.processes import cpu_seconds
from fencepost.stress.machine.trials import machine
from fencepost.stress.records.percentiles import quantiles

_SETTLE_SECONDS = 2.0  # what start-up leaves behind


def main() -> None:
    """Start a pool, let it idle, send it messages one by one, print what was seen."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--messages", type=int, default=400)
    parser.add_argument("--seconds", type=float, default=20.0, help="of idling")
    parser.add_argument("--folder", help="on the disk to measure")
    parser.add_argument("--json", action="store_true")
    told = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(dir=told.folder) as folder,
        Pool(Path(folder, "pool"), "clock", workers=told.workers) as pool,
    ):
        where = machine(Path(folder))
        time.sleep(_SETTLE_SECONDS)
        workers = [worker.pid for worker in pool.store.workers()]
        before = {pid: cpu_seconds(pid) for pid in (pool.pid, *workers)}
        time.sleep(told.seconds)
        used = {pid: (cpu_seconds(pid) - was) / told.seconds for pid, was in before.items()}
        figures = {
            "workers": told.workers,
            "supervisor_cpu": used[pool.pid],
            "worker_cpu": statistics.mean(used[pid] for pid in workers),
            "supervisor_own_mib": own_mib(pool.pid),
            "worker_own_mib": statistics.mean(own_mib(pid) for pid in workers),
            "wait_ms": quantiles(waits_of(pool, told.messages)),
        }
    if told.json:
        print(json.dumps({"machine": msgspec.to_builtins(where), **figures}, indent=2))
        return
    for who in ("supervisor", "worker"):
        print(
            f"{who}, idle: {figures[f'{who}_cpu']:.3%} of a core,"
            f" {figures[f'{who}_own_mib']:.1f} MiB of its own"
        )
    waits = ", ".join(f"{name} {wait:.2f} ms" for name, wait in figures["wait_ms"].items())
    print(f"enqueue to handler, idle, {told.messages} messages: {waits}")


def own_mib(pid: int) -> float:
    """Return the memory that a process shares with no other, in MiB."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(map(int, re.findall(r"^Private_\w+: +(\d+) kB", text, re.MULTILINE))) / 1024


if __name__ == "__main__":
    main()
