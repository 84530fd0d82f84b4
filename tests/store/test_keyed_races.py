"""Many processes on one namespace: one winner for each key, never a row above the cap."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from fencepost import connect

from ..kits import Kit
from ..processes import line_of, running, tell

pytestmark = pytest.mark.processes

# One process that imports, and 64 forked from it before anything is open.
CLAIM = """
import json, os, sys
from fencepost import connect

PROCESSES = 64
start_read, start_write = os.pipe()
ready_read, ready_write = os.pipe()
answer_read, answer_write = os.pipe()
for n in range(PROCESSES):
    if os.fork() == 0:
        os.close(start_write)
        with connect(sys.argv[1], busy_timeout=60) as store:
            keyed = store.keyed("a", "x", max_entries=50)
            os.write(ready_write, b"r")
            os.read(start_read, 1)  # returns when the parent closes its end
            won = keyed.register_if_absent("k", n)
            taken = keyed.consume("treasure")
        os.write(answer_write, json.dumps([n, won, taken]).encode() + b"\\n")
        os._exit(0)
os.close(answer_write)
count = 0
while count < PROCESSES:
    count += len(os.read(ready_read, PROCESSES))
os.close(start_write)
with os.fdopen(answer_read) as answers:
    print(json.dumps([json.loads(line) for line in answers]), flush=True)
for _ in range(PROCESSES):
    os.wait()
"""

FILL = """
import sys
from fencepost import connect

with connect(sys.argv[1], busy_timeout=60, durability="normal") as store:
    keyed = store.keyed("a", "x")
    print("ready", flush=True)
    sys.stdin.readline()
    for n in range(150):
        keyed.register(f"{sys.argv[2]}-{n}", n, ttl=0.01 if n % 3 else None)
        assert keyed.lookup(f"{sys.argv[2]}-{n}", n) == n
    print("done", flush=True)
"""

ADD = """
import sys
from fencepost import connect

with connect(sys.argv[1], busy_timeout=60, durability="normal") as store:
    keyed = store.keyed("a", "counter")
    print("ready", flush=True)
    sys.stdin.readline()
    for n in range(40):
        keyed.update("n", lambda n: n + 1, default=0)
        seen = keyed.observe("m")
        while True:
            held = seen.entry.value if seen.entry else 0
            outcome = keyed.compare_and_set("m", seen.token, held + 1)
            if outcome.status == "applied":
                break
            seen = outcome.current
    print("done", flush=True)
"""


# CLAIMKEY-2, KV-4
def test_of_64_processes_one_gets_the_key_and_one_the_treasure(kit: Kit, tmp_path: Path) -> None:
    path = kit.address
    with connect(path) as store:
        store.keyed("a", "x", max_entries=50).register("treasure", "gold")

    with running(["-W", "ignore", "-c", CLAIM, str(path)], cwd=tmp_path) as process:
        answers: list[Any] = json.loads(line_of(process))

    assert sorted(n for n, _, _ in answers) == list(range(64))
    (winner,) = [n for n, won, _ in answers if won]
    assert [taken for _, _, taken in answers if taken is not None] == ["gold"]
    with connect(path) as store:
        assert store.keyed("a", "x").lookup("k") == winner
        assert store.keyed("a", "x").count() == 1


# KV-1, KV-38
def test_eight_processes_at_the_cap_are_never_seen_above_it(kit: Kit, tmp_path: Path) -> None:
    path, cap = kit.address, 20
    with connect(path) as store:
        store.keyed("a", "x", max_entries=cap, owner_max_entries=cap + 1)

        with contextlib.ExitStack() as stack:
            started = [
                stack.enter_context(running(["-c", FILL, str(path), f"{n}"], cwd=tmp_path))
                for n in range(8)
            ]
            for process in started:
                assert line_of(process) == "ready"
            for process in started:
                tell(process, "go")
            seen = list(_snapshots(path, started))

        assert len(seen) > 20
        assert max(rows for rows, _, _ in seen) == cap
        assert all(rows == counted == owned for rows, counted, owned in seen)
    assert (tmp_path / "stderr").read_text() == ""


def _snapshots(path: str, writers: list[subprocess.Popen[str]]) -> Iterator[tuple[Any, ...]]:
    """Yield rows, the namespace's count and the owner's, by a reader of our own, until all end."""
    reader = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    reader.set_busy_timeout(60_000)
    try:
        while any(process.poll() is None for process in writers):
            yield reader.execute(
                "select (select count(*) from fp_entry), n.entries, o.entries"
                " from fp_namespace n join fp_owner o on o.name = n.owner"
            ).fetchall()[0]
    finally:
        reader.close()


# KV-22, KV-24
def test_no_update_and_no_comparison_of_eight_processes_is_lost(kit: Kit, tmp_path: Path) -> None:
    path = kit.address
    connect(path).close()
    with contextlib.ExitStack() as stack:
        started = [
            stack.enter_context(running(["-c", ADD, str(path)], cwd=tmp_path)) for _ in range(8)
        ]
        for process in started:
            assert line_of(process) == "ready"
        for process in started:
            tell(process, "go")
        assert [line_of(process) for process in started] == ["done"] * 8

    with connect(path) as store:
        assert store.keyed("a", "counter").lookup_many(["n", "m"]) == [320, 320]
