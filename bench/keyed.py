"""What a registration costs with many keys stored: medians within one run, taken in turn.

    .venv/bin/python bench/keyed.py            # 10,000,000 keys, about 3 GB under TMPDIR
    .venv/bin/python bench/keyed.py --small    # 100,000 keys

Compares a namespace of 1,000 entries with a large one, each in a store of its own, below
its cap and at it. durability="normal" shows what the store does without its sync.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

import apsw

from fencepost import Keyed, connect

FEW = 1_000
MANY = 10_000_000
SMALL = 100_000
TIMES = {"full": 1_000, "normal": 3_000}
_BATCH = 1_000_000

_FILL = """
with recursive series (value) as (
  select :start
  union all
  select value + 1 from series where value < :stop
)
insert into fp_entry (namespace, key, value, created_at_ms, expires_at_ms)
select :namespace, printf('%08x', (value * 2654435761) & 4294967295), '{"n":' || value || '}',
  value, case when value % 2 then 4000000000000 end
from series
"""

_COUNT = "update fp_namespace set entries = :count"

_COUNT_OWNER = "update fp_owner set entries = 2 * :count"


def main() -> None:
    """Print the medians in microseconds with few and with many, and their ratio."""
    many = SMALL if "--small" in sys.argv else MANY
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, name) for name in ("few.db", "many.db")]
        for path, count in zip(paths, (FEW, many), strict=True):
            fill(path, count)
        print(f"{many:,} entries against {FEW:,}; median microseconds")
        for durability, times in TIMES.items():
            with (
                connect(paths[0], durability=durability) as small,
                connect(paths[1], durability=durability) as large,
            ):
                for name in ("below the cap", "at the cap"):
                    kind = name.split()[0]
                    pair = small.keyed("bench", kind), large.keyed("bench", kind)
                    few_us, many_us = compare(*pair, times)
                    ratio = many_us / few_us
                    print(f"{durability:6} {name:13} {few_us:7.1f} {many_us:7.1f}  {ratio:.2f} x")


def fill(path: Path, count: int) -> None:
    """Put so many entries into two namespaces, past the store."""
    with connect(path) as store:
        store.keyed("bench", "below", max_entries=count * 2)
        store.keyed("bench", "at", max_entries=count)
    connection = apsw.Connection(str(path))
    connection.pragma("synchronous", 0)
    connection.pragma("cache_size", -1_000_000)
    for namespace in (1, 2):
        for start in range(1, count + 1, _BATCH):
            stop = min(start + _BATCH - 1, count)
            connection.execute(_FILL, {"namespace": namespace, "start": start, "stop": stop})
    connection.execute(_COUNT, {"count": count})
    connection.execute(_COUNT_OWNER, {"count": count})
    connection.close()


def compare(few: Keyed, many: Keyed, times: int) -> tuple[float, float]:
    """Return the median time of a registration of a new key in each, taking turns."""
    taken: dict[Keyed, list[float]] = {few: [], many: []}
    for n in range(times):
        key = f"{random.getrandbits(32):08x}-{n}"
        for keyed in (few, many) if n % 2 else (many, few):
            begun = time.perf_counter()
            keyed.register(key, {"n": n})
            taken[keyed].append((time.perf_counter() - begun) * 1e6)
            if keyed.name == "below":
                keyed.delete(key)
    return statistics.median(taken[few]), statistics.median(taken[many])


if __name__ == "__main__":
    main()
