"""A handler that opens its own store with another SQLite library."""

from __future__ import annotations

from pathlib import Path

from fencepost import connect

from ..processes import fencepost, running

_APP = """
import sqlite3
from fencepost import App, StoreInUse
app = App("store.db")

@app.task("asks", max_attempts=1)
def asks(message, ctx):
    sqlite3.connect("store.db")

@app.task("reads", max_attempts=1)
def reads(message, ctx):
    try:
        sqlite3.connect("store.db")
    except StoreInUse:
        ((number,),) = ctx.store.read("select count(*) from fp_message")
        with ctx.transaction() as tx:
            tx.execute("create table seen as select ? as number", (number,))
"""


# FOREIGN-1, READ-1
def test_it_is_refused_with_a_reason_and_reads_by_the_store(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(_APP)
    path = tmp_path / "store.db"
    with connect(path) as store:
        for queue in ("asks", "reads"):
            store.queue(queue).enqueue(b"")

    work = fencepost("work", "app.py", "--workers", "1", "--drain")
    with running(work, cwd=tmp_path) as pool:
        assert pool.wait(timeout=90) == 0

    with connect(path) as store:
        states = {each.queue: (each.state, each.error or "") for each in store.deliveries()}
        assert states["reads"] == ("done", "")
        assert states["asks"][0] == "dead"
        assert "store.read" in states["asks"][1]
        assert store.read("select number from seen") == [(2,)]
