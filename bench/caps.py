"""A cap under pressure: 32 processes register new keys for 10 s while others count the rows.

    .venv/bin/python bench/caps.py

Exits with 1 when a snapshot is over the cap, or when a process was told StoreBusy.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time

import apsw
import multiprocess

from fencepost import LimitExceeded, StoreBusy, connect

SECONDS = 10.0
WRITERS = 32
CAP = 500

_COUNT = """
select max(rows)
from (select count(*) as rows from fp_entry group by namespace)
"""


def main() -> int:
    """Print what was seen; return 1 when a rule was broken."""
    context = multiprocess.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder, context.Pool(WRITERS + 1) as pool:
        path = os.path.join(folder, "bench.db")
        with connect(path) as store:
            store.keyed("bench", "full", max_entries=CAP, overflow="reject")
            store.keyed("bench", "rolling", max_entries=CAP, overflow="evict")
        start = time.time() + 8
        reader = pool.apply_async(snapshots, (path, start))
        runs = pool.starmap(register, [(path, n, start) for n in range(WRITERS)])
        taken, most = reader.get()
    done, refused, busy, longest = (list(column) for column in zip(*runs, strict=True))
    print(
        f"{WRITERS} processes, {SECONDS:g} s: {sum(done)} calls, {sum(refused)} refused at the cap"
    )
    print(f"{taken} snapshots by an independent reader: at most {most} of {CAP} rows")
    print(f"StoreBusy: {sum(busy)}; longest wait {max(longest):.0f} ms of 5000")
    print(f"least share / greatest share: {min(done) / max(done):.2f}")
    return int(most > CAP or sum(busy) > 0)


def register(path: str, writer: int, start: float) -> tuple[int, int, int, float]:
    """Register new keys until time is up; return what came of it, and the longest call in ms."""
    done = refused = busy = 0
    longest = 0.0
    with connect(path) as store:
        spaces = [store.keyed("bench", name) for name in ("full", "rolling")]
        time.sleep(max(0.0, start - time.time()))
        end = time.monotonic() + SECONDS
        while (begun := time.monotonic()) < end:
            try:
                spaces[done % 2].register(f"{writer} {done}", {"n": done})
            except LimitExceeded:
                refused += 1
            except StoreBusy:
                busy += 1
            done += 1
            longest = max(longest, (time.monotonic() - begun) * 1000)
    return done, refused, busy, longest


def snapshots(path: str, start: float) -> tuple[int, int]:
    """Count rows with a connection that is not the store's; return snapshots and the most."""
    connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)
    connection.set_busy_timeout(1000)
    taken = most = 0
    time.sleep(max(0.0, start - time.time()))
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        most = max(most, connection.execute(_COUNT).get or 0)
        taken += 1
    return taken, most


if __name__ == "__main__":
    sys.exit(main())
