"""Real pools that call a handler by the clock."""

from __future__ import annotations

import os
import signal
from itertools import pairwise
from pathlib import Path

from fencepost import connect

from ..processes import fencepost, running, wait_until
from ..sqlite.inside import ask

APP = """
from fencepost import App

app = App("store.db")

@app.every(seconds=1, missed="each")
def beat(message, ctx):
    with ctx.transaction() as tx:
        tx.execute("insert into effects values (?, ?, ?)", (message.source, message.event, message.key))
"""

LATER = """
@app.every("@yearly")
def greet(message, ctx):
    pass
"""


def _site(folder: Path) -> Path:
    (folder / "app.py").write_text(APP)
    with connect(folder / "store.db") as store, store.transaction() as tx:
        tx.execute("create table effects (source text, event text, key text)")
    return folder / "store.db"


def _effects(path: Path) -> list[tuple[object, ...]]:
    return ask(path, "select source, event, key from effects order by key")


# CRON-3
def test_a_pool_calls_a_handler_by_the_clock_and_its_successor_goes_on(tmp_path: Path) -> None:
    path = _site(tmp_path)
    work = fencepost("work", "app.py", "--workers", "1")

    with running(work, cwd=tmp_path) as first, running(work, cwd=tmp_path) as second:
        wait_until(lambda: len(_effects(path)) >= 3, "three calls")
        for pool in (first, second):
            os.kill(pool.pid, signal.SIGKILL)
            pool.wait()
    before = len(_effects(path))
    with running(work, cwd=tmp_path):
        wait_until(lambda: len(_effects(path)) >= before + 4, "the successor goes on")

    found = _effects(path)
    assert {row[:2] for row in found} == {("schedule/beat", "tick")}
    seconds = [str(key)[17:19] for *_, key in found]
    assert all((int(one) + 1) % 60 == int(other) for one, other in pairwise(seconds))


# CRON-7
def test_a_reload_declares_the_schedules_of_the_new_code(tmp_path: Path) -> None:
    path = _site(tmp_path)

    with connect(path) as store, running(fencepost("work", "app.py"), cwd=tmp_path) as pool:
        wait_until(lambda: _effects(path), "the first call")
        (tmp_path / "app.py").write_text(APP.replace("seconds=1", "hours=1") + LATER)
        os.kill(pool.pid, signal.SIGHUP)
        known = wait_until(
            lambda: len(found := store.schedules()) == 2 and found, "the new code is in use"
        )

    assert [(each.name, each.spec, each.missed) for each in known] == [
        ("beat", "every 3600 s", "each"),
        ("greet", "0 0 1 1 *", "once"),
    ]
    assert all(each.pools for each in known)
