"""What looking costs on a large store: counts, lists and `fencepost status`.

    .venv/bin/python bench/listing.py [ROWS]

A tenth of the rows is dead, three tenths are scheduled, the rest is done. The best of five.
"""

from __future__ import annotations

import contextlib
import io
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import apsw

from fencepost import connect
from fencepost.cli.status import status

QUEUES = 10

_FILL = """
with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < :rows)
insert into fp_message (scope, source, key, event, headers, body_sha256, received_at_ms, keep_ms)
select 'shop', 'shop', 'key ' || n, 'order', '{}', x'', :now - (:rows - n), 86400000
from numbers;

insert into fp_delivery (
  message_id, queue, priority, state, due_at_ms, max_attempts, retry_for_ms, tried_since_ms, bytes,
  error, changed_at_ms
)
select
  id, 'queue' || (id % :queues), 0,
  case when id % 10 = 0 then 'dead' when id % 10 <= 3 then 'ready' else 'done' end,
  case when id % 10 between 1 and 3 then :now + 3600000 end, null, 259200000, received_at_ms, 0,
  case when id % 10 = 0 then 'no route to host' end, received_at_ms
from fp_message;

insert into fp_queue (name, ready, scheduled, done, dead)
select
  queue, sum(state = 'ready'), sum(state = 'ready'), sum(state = 'done'), sum(state = 'dead')
from fp_delivery
group by queue;
"""


def main() -> None:
    """Print the milliseconds of each call."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "bench.db"))
        fill(path, rows)
        with connect(path) as store:
            calls: dict[str, Callable[[], object]] = {
                "stats": store.stats,
                "next_at_ms": lambda: store.engine.queue.next_at_ms(["queue1"]),
                "anything_left": lambda: store.engine.queue.anything_left(["queue1"]),
                "list": store.deliveries,
                "list dead": lambda: store.deliveries(state="dead"),
                "list ready of a queue": lambda: store.deliveries(state="ready", queue="queue1"),
                "list scheduled": lambda: store.deliveries(state="scheduled"),
                "list of a key": lambda: store.deliveries(key="key 5000"),
                "list of the last minute": lambda: store.deliveries(since=timedelta(minutes=1)),
                "list of an error": lambda: store.deliveries(state="dead", error="host"),
                "list of no error": lambda: store.deliveries(state="dead", error="nothing"),
                "list of no event": lambda: store.deliveries(event="nothing"),
                "list cancelled": lambda: store.deliveries(state="cancelled"),
            }
            for name, call in calls.items():
                print(f"{name:24} {best(call):8.2f} ms")
        print(f"{'status, opening included':24} {best(lambda: shown(path)):8.2f} ms")


def fill(path: str, rows: int) -> None:
    """Make a store with so many messages, each with one delivery."""
    with connect(path) as store:
        now = store.engine.clock.now_ms()
    connection = apsw.Connection(path)
    connection.execute("begin")
    connection.execute(_FILL, {"rows": rows, "now": now, "queues": QUEUES})
    connection.execute("commit")
    connection.close()


def shown(path: str) -> None:
    """Run `fencepost status` in this process."""
    with contextlib.redirect_stdout(io.StringIO()):
        status.main(["--store", path], standalone_mode=False)


def best(call: Callable[[], object]) -> float:
    """Return the milliseconds of the fastest of five calls."""
    took = []
    for _ in range(5):
        begun = time.perf_counter()
        call()
        took.append(time.perf_counter() - begun)
    return min(took) * 1000


if __name__ == "__main__":
    main()
