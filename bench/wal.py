"""The WAL under readers: how large it becomes, and how long a writer waits for a checkpoint.

    .venv/bin/python bench/wal.py

One process writes 20,000 small messages while four others hold overlapping reads of 20 ms,
as an operator's tools would.
"""

from __future__ import annotations

import os
import tempfile
import time

import apsw
import multiprocess

from fencepost import connect

WRITES = 20_000
READERS = 4
READ_SECONDS = 0.02


def main() -> None:
    """Print the greatest size of the WAL and the writer's waits, with readers and without."""
    context = multiprocess.get_context("spawn")
    for readers in (0, READERS):
        with tempfile.TemporaryDirectory() as folder, context.Pool(READERS) as pool:
            path = os.path.join(folder, "bench.db")
            connect(path).close()
            stop = os.path.join(folder, "stop")
            reading = [pool.apply_async(read, (path, stop)) for _ in range(readers)]
            sizes, waits = write(path)
            open(stop, "w").close()
            reads = sum(result.get() for result in reading)
            waits.sort()
            print(
                f"{readers} readers ({reads} reads): WAL at most {max(sizes) / 2**20:.1f} MB;"
                f" a write p50 {waits[len(waits) // 2]:.2f} ms,"
                f" p99.9 {waits[int(len(waits) * 0.999)]:.1f} ms, longest {waits[-1]:.0f} ms"
            )


def write(path: str) -> tuple[list[int], list[float]]:
    """Store small messages one by one; return the sizes of the WAL, and the times in ms."""
    sizes, waits = [], []
    with connect(path, durability="normal") as store:
        queue = store.queue("bench")
        for n in range(WRITES):
            begun = time.perf_counter()
            queue.enqueue(b"x" * 200, key=f"{n}")
            waits.append((time.perf_counter() - begun) * 1000)
            sizes.append(os.stat(path + "-wal").st_size)
    return sizes, waits


def read(path: str, stop: str) -> int:
    """Hold short reads one after the other; return how many."""
    connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)
    connection.set_busy_timeout(1000)
    reads = 0
    while not os.path.exists(stop):
        connection.execute("begin")
        connection.execute("select count(*) from fp_message").fetchall()
        time.sleep(READ_SECONDS)
        connection.execute("commit")
        reads += 1
    return reads


if __name__ == "__main__":
    main()
