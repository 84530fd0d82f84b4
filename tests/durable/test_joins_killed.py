"""Many messages of many keys, and workers killed at random: each ended once, in order."""

from __future__ import annotations

import os
import random
import signal
from collections import defaultdict

from fencepost.store.types.messages.draft import Address, Draft, Join

from ..processes import fencepost, running, wait_until, workers_of
from .conftest import Place

APP = """
from fencepost import App

app = App("hooks.db", durability="normal")


@app.task("stock", coalesce=True, most=20, backoff=0.05)
def stock(messages, ctx):
    with ctx.transaction() as tx:
        tx.execute("create table if not exists handled (call integer, key text)")
        for message in messages:
            tx.execute("insert into handled values (?, ?)", (ctx.fence, message.key))
"""

MESSAGES, KEYS, MOST, KILLS = 2_000, 20, 20, 8


# JOIN-5, JOIN-8, K12
def test_under_kills_each_message_is_ended_once_and_the_order_is_kept(place: Place) -> None:
    drawn = random.Random(1)
    for start in range(0, MESSAGES, 500):
        place.store.engine.queue.enqueue(
            [
                Draft("s", "s", f"{n}", "", {}, b"", [_address(n % KEYS)])
                for n in range(start, start + 500)
            ]
        )
    stats, database = place.store.queue("stock").stats, place.folder / "hooks.db"
    with running(fencepost("work", "app.py", "--workers", "2"), cwd=place.folder) as pool:
        for turn in range(KILLS):
            goal = MESSAGES * (turn + 1) // (2 * KILLS)
            wait_until(lambda goal=goal: stats().done >= goal, "it goes on")  # type: ignore[misc]
            pids = [row["pid"] for row in workers_of(database)]
            if pids:
                os.kill(drawn.choice(pids), signal.SIGKILL)
        wait_until(lambda: stats().done == MESSAGES, "all are done")
        pool.send_signal(signal.SIGTERM)
        assert pool.wait(60) == 0

    rows = [tuple(row) for row in place.store.read("select call, key from handled order by rowid")]
    assert len(rows) == len({key for _, key in rows}) == MESSAGES
    calls, lanes = defaultdict[int, list[int]](list), defaultdict[int, list[int]](list)
    for call, key in rows:
        calls[call].append(int(key))
        lanes[int(key) % KEYS].append(int(key))
    assert all(len(call) <= MOST for call in calls.values())
    assert all(len({key % KEYS for key in call}) == 1 for call in calls.values())
    assert all(call == sorted(call) for call in calls.values())
    late = sum(keys != sorted(keys) for keys in lanes.values())
    assert late <= KILLS  # only what was alone when its worker was killed lets others go before
    assert len(calls) < MESSAGES / 4


def _address(key: int) -> Address:
    return Address("stock", lane=f"{key}", join=Join(0, MOST))
