"""What a message costs with few and with many rows stored: ratios within one run.

    .venv/bin/python bench/flat.py                                # a minute, up to 100,000 rows
    .venv/bin/python bench/flat.py --done 1000 10000000 --waiting 10 1000000

Enqueue, and claim with ack, one message at a time and 100: with so many messages done whose
keys are kept, and with so many waiting. The stores take turns. Each count is compared with the
first; raw SQLite with as many rows shows what is SQLite's own.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import apsw
import msgspec

from fencepost import connect
from fencepost.speed.measurement import BODY
from fencepost.speed.raw import Raw
from fencepost.speed.store import QUEUE, ApartWay, RawWay, Spent, Way, over, take_turns
from fencepost.stress.machine.trials import machine

BATCHES = (1, 100)
STEPS = ("enqueue", "work")
_CHUNK = 500_000

# Spread over the whole index, as the keys of webhooks are.
_KEY = "printf('%08x-%d', (value * 2654435761) & 4294967295, value)"

_SERIES = """
with recursive series (value) as (
  select :start
  union all
  select value + 1 from series where value < :stop
)
"""

_RAW_DONE = f"""
{_SERIES}
insert into raw_message (key, state, fence) select {_KEY}, 2, 1 from series
"""

_RAW_WAITING = f"""
{_SERIES}
insert into raw_message (key, body) select {_KEY}, :body from series
"""

_COUNT = {
    "done": "update fp_queue set done = done + :count",
    "waiting": "update fp_queue set ready = ready + :count, bytes = bytes + :count * :size",
}


def main() -> None:
    """Fill the stores, measure them in turn, print what many cost against few."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--done", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--waiting", type=int, nargs="+", default=[10, 1_000, 100_000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each batch size and round")
    parser.add_argument("--folder", help="on the disk to measure")
    parser.add_argument("--json", action="store_true")
    told = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(dir=told.folder) as folder:
        where = machine(Path(folder))
        for kind, counts in (("done", told.done), ("waiting", told.waiting)):
            rows += measure(Path(folder), kind, counts, told.rounds, told.seconds)
    if told.json:
        print(json.dumps({"machine": msgspec.to_builtins(where), "rows": rows}, indent=2))
        return
    for row in rows:
        step = "enqueue" if row["step"] == "enqueue" else "claim, ack"
        cost, raw = row["cost"]["median"], row["raw_cost"]["median"]
        print(
            f"{row['stored']:10,} {row['kind']:8} batch {row['batch']:3} {step:10}"
            f" {row['us']:8.1f} us  {cost:.2f} x (raw {raw:.2f} x)"
        )


def measure(
    folder: Path, kind: str, counts: Sequence[int], rounds: int, seconds: float
) -> list[dict[str, Any]]:
    """Return a row for each count, batch size and step."""
    spent: Spent = defaultdict(list)
    with ExitStack() as stack:
        ways: dict[str, Way] = {}
        for count in counts:
            print(f"filling: {count:,} {kind}", file=sys.stderr)
            raw = stack.enter_context(closing(Raw(folder / f"raw-{kind}-{count}.db")))
            fill_raw(folder / f"raw-{kind}-{count}.db", kind, count)
            ways[f"raw {count}"] = RawWay(raw)
            fill(folder / f"{kind}-{count}.db", kind, count)
            store = stack.enter_context(connect(folder / f"{kind}-{count}.db"))
            ways[f"{count}"] = ApartWay(store)
        for number in range(rounds):
            print(f"{kind}: round {number + 1} of {rounds}", file=sys.stderr)
            for batch in BATCHES:
                take_turns(ways, batch, seconds, spent)
    return [
        {
            "kind": kind,
            "stored": count,
            "batch": batch,
            "step": step,
            "us": statistics.median(took.median for took in spent[batch, f"{count}", step]) * 1e6,
            "cost": msgspec.to_builtins(
                over(spent[batch, f"{count}", step], spent[batch, f"{counts[0]}", step])
            ),
            "raw_cost": msgspec.to_builtins(
                over(spent[batch, f"raw {count}", step], spent[batch, f"raw {counts[0]}", step])
            ),
        }
        for batch in BATCHES
        for step in STEPS
        for count in counts
    ]


def fill(path: Path, kind: str, count: int) -> None:
    """Make a store with so many messages, copies of one that went the usual way."""
    with connect(path) as store:
        queue = store.queue(QUEUE)
        queue.enqueue(BODY, key="template")
        if kind == "done":
            queue.claim()[0].ack()
    with closing(apsw.Connection(str(path))) as connection:
        connection.pragma("synchronous", 0)
        connection.pragma("cache_size", -1_000_000)
        tables = {"fp_message": "id", "fp_body": "message_id", "fp_delivery": "id"}
        for table, id in tables.items():
            copy = _copy_of(connection, table, id)
            for start in range(2, count + 1, _CHUNK):
                bounds = {"start": start, "stop": min(start + _CHUNK - 1, count)}
                connection.execute(copy, bounds)
        connection.execute(_COUNT[kind], {"count": count - 1, "size": len(BODY)})


def _copy_of(connection: apsw.Connection, table: str, id: str) -> str:
    """Return the statement that copies row 1 to each number of a series."""
    values = {id: "value", "message_id": "value", "key": _KEY}
    columns = [name for _, name, *_ in connection.execute(f"pragma table_info({table})")]
    chosen = ", ".join(values.get(name, f"t.{name}") for name in columns)
    return f"""
    {_SERIES}
    insert into {table} ({", ".join(columns)})
    select {chosen} from series cross join {table} as t where t.{id} = 1
    """


def fill_raw(path: Path, kind: str, count: int) -> None:
    """Put as many messages into a raw database."""
    insert = _RAW_DONE if kind == "done" else _RAW_WAITING
    with closing(apsw.Connection(str(path))) as connection:
        connection.pragma("synchronous", 0)
        connection.pragma("cache_size", -1_000_000)
        for start in range(1, count + 1, _CHUNK):
            bounds = {"start": start, "stop": min(start + _CHUNK - 1, count), "body": BODY}
            connection.execute(
                insert, {name: bounds[name] for name in bounds if f":{name}" in insert}
            )


if __name__ == "__main__":
    main()
