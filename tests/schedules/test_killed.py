"""A pool that dies in the middle of a tick: the next one goes on where the store is."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from fencepost import connect
from fencepost.workers.supervisor.damage import Damage
from fencepost.workers.supervisor.schedules.ticker import Ticker

from ..clock import FakeClock
from ..processes import PATIENCE_SECONDS, running
from ..sqlite.inside import ask
from .conftest import NINE, report
from .test_ticker import NINE_KEY

# In a commit: before anything of it is on disk, and when all of it is.
POINTS = (
    "before it asks",
    "before COMMIT",
    "in COMMIT, before",
    "in COMMIT, after",
    "after COMMIT",
)

_POOL = """
import os, signal, sys
from fencepost import connect
from fencepost.store.sqlite.session.transactions import Block
from fencepost.workers.supervisor.damage import Damage
from fencepost.workers.supervisor.schedules.ticker import Ticker
from tests.clock import FakeClock
from tests.schedules.conftest import NINE, report
from tests.sqlite.inside import connection

path, point = sys.argv[1:]
clock = FakeClock(wall=NINE - 1)
store = connect(path, clock=clock)
pool = Ticker(store.engine, store.engine.pools.begin(None, 1), Damage(), [report()])
pool.look()

def die(*given):
    os.kill(os.getpid(), signal.SIGKILL)

def committing(block, commit=Block._commit):
    if point == "before COMMIT":
        die()
    commit(block)
    die()

if point == "before it asks":
    store.engine.pools.schedules.advance = die
elif point == "in COMMIT, before":
    connection(store).set_commit_hook(die)
elif point == "in COMMIT, after":
    connection(store).set_wal_hook(die)
else:
    Block._commit = committing
clock.advance(0.001)
pool.look()
"""


# CRON-3
@pytest.mark.parametrize("point", POINTS)
def test_a_pool_killed_at_any_point_of_a_tick_leaves_one_message(
    tmp_path: Path, point: str
) -> None:
    path = str(tmp_path / "store.db")
    root = Path(__file__).parents[2]
    with running(["-c", _POOL, path, point], cwd=tmp_path, env={"PYTHONPATH": str(root)}) as pool:
        code = pool.wait(PATIENCE_SECONDS)
    assert code == -signal.SIGKILL, (tmp_path / "stderr").read_text()
    was_stored = ask(path, "select key from fp_message") == [(NINE_KEY,)]
    assert was_stored == (point in ("in COMMIT, after", "after COMMIT"))

    successor = FakeClock(wall=NINE + 1, boot_name="the next")
    with connect(path, clock=successor) as store:
        pools = store.engine.pools
        Ticker(store.engine, pools.begin(None, 1), Damage(), [report()]).look()
        (schedule,) = store.schedules()

    assert ask(path, "select key from fp_message") == [(NINE_KEY,)]
    assert ask(path, "select state from fp_delivery") == [("ready",)]
    assert schedule.last_at == NINE / 1000
