"""How soon an idle pool begins a message, and what it costs to be idle.

    .venv/bin/python bench/latency.py

Prints, for 4 workers: the wait from before enqueue to the handler's first line, and
the share of one core that the whole pool and its supervisor use while nothing happens.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import fencepost

WORKERS = 4
MESSAGES = 400
PAUSE_SECONDS = 0.02
IDLE_SECONDS = 20.0

APP = """
import time
from pathlib import Path
from fencepost import App

app = App(str(Path(__file__).with_name("bench.db")))

@app.task("ping")
def ping(message, ctx):
    return time.monotonic_ns()
"""


def main() -> None:
    """Start a pool, let it idle, send it messages one by one, print what was seen."""
    with tempfile.TemporaryDirectory() as folder:
        app = Path(folder, "app.py")
        app.write_text(APP)
        with fencepost.connect(str(app.with_name("bench.db"))) as store:
            pool = subprocess.Popen(
                [sys.executable, "-m", "fencepost", "work", str(app), "--workers", str(WORKERS)],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            try:
                assert pool.stdout is not None
                pool.stdout.readline()
                time.sleep(2)  # what start-up leaves behind
                pids = [pool.pid, *(worker.pid for worker in store.workers())]
                before = sum(map(cpu_seconds, pids))
                time.sleep(IDLE_SECONDS)
                idle = (sum(map(cpu_seconds, pids)) - before) / IDLE_SECONDS
                waits = sorted(latencies(store))
            finally:
                pool.terminate()
                pool.wait()
    print(f"idle: {idle * 100:.3f} % of a core for {WORKERS} workers and their supervisor")
    print(
        f"enqueue to handler, idle, {MESSAGES} messages: p50 {statistics.median(waits):.2f} ms,"
        f" p99 {waits[int(len(waits) * 0.99)]:.2f} ms, max {waits[-1]:.2f} ms"
    )


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def latencies(store: fencepost.Store) -> list[float]:
    """Return milliseconds from before each enqueue to its handler's first line."""
    queue = store.queue("ping")
    sent = {}
    for n in range(MESSAGES):
        sent[f"{n}"] = time.monotonic_ns()
        queue.enqueue(b"x" * 1024, key=f"{n}")
        time.sleep(PAUSE_SECONDS)
    deadline = time.monotonic() + 30
    while queue.stats().done < MESSAGES and time.monotonic() < deadline:
        time.sleep(0.05)
    begun = {key: queue.enqueue(b"x" * 1024, key=key).result for key in sent}
    return [(begun[key] - sent[key]) / 1e6 for key in sent]


if __name__ == "__main__":
    main()
