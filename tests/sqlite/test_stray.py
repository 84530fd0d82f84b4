"""A process that opens the database's files by itself, and so loses its locks on them."""

from __future__ import annotations

from pathlib import Path

import apsw

from fencepost import connect

from ..processes import line_of, running, tell
from .inside import ask

_STRAY = """
import sys
from fencepost import FencepostError, connect
from fencepost.stress.abuse import unseen
path = sys.argv[1]

def stray():
    for suffix in ("", "-wal", "-shm"):
        unseen.touch(path + suffix)
    print("strayed", flush=True)
    sys.stdin.readline()

store = connect(path)
queue = store.queue("mail")
"""

_WITHIN = """
with store.transaction():
    queue.enqueue(b"", key="mine")
    stray()
print("committed", flush=True)
sys.stdin.readline()
"""

_BETWEEN = """
queue.enqueue(b"", key="mine")
stray()
for call in (lambda: queue.enqueue(b"", key="lost"), queue.claim, store.stats):
    try:
        call()
        print("done", flush=True)
    except FencepostError as error:
        print(error.code, flush=True)
sys.stdin.readline()
"""

_DURING = """
import os
try:
    with store.transaction():
        queue.enqueue(b"", key="lost")
        for suffix in ("-wal", "-shm"):
            os.rename(path + suffix, path + ".gone" + suffix)
except FencepostError as error:
    print(error.code, flush=True)
sys.stdin.readline()
"""


def _keys(path: Path) -> list[object]:
    return [key for (key,) in ask(path, "select key from fp_message order by id")]


def test_what_it_commits_is_kept_though_another_closes_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    other = connect(path)
    with running(["-c", _STRAY + _WITHIN, str(path)], cwd=tmp_path) as process:
        assert line_of(process) == "strayed"
        other.close()
        tell(process, "go on")
        assert line_of(process) == "committed"

        with connect(path) as store:
            assert store.queue("mail").enqueue(b"", key="more").status == "accepted"
        tell(process, "end")
        assert process.wait(60) == 0

    assert _keys(path) == ["mine", "more"]
    assert ask(path, "pragma integrity_check") == [("ok",)]


def test_without_its_wal_it_takes_nothing_more(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    other = connect(path)
    with running(["-c", _STRAY + _BETWEEN, str(path)], cwd=tmp_path) as process:
        assert line_of(process) == "strayed"
        other.close()
        ask(path, "pragma wal_checkpoint", flags=apsw.SQLITE_OPEN_READWRITE)
        with connect(path) as store:
            assert store.queue("mail").enqueue(b"", key="more").status == "accepted"
            tell(process, "go on")

            assert [line_of(process) for _ in range(3)] == ["store_failed"] * 3
            tell(process, "end")
            assert process.wait(60) == 0

    assert _keys(path) == ["mine", "more"]
    assert ask(path, "pragma integrity_check") == [("ok",)]


def test_a_commit_to_a_wal_that_is_gone_is_not_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with running(["-c", _STRAY + _DURING, str(path)], cwd=tmp_path) as process:
        assert line_of(process) == "outcome_unknown"
        tell(process, "end")
        assert process.wait(60) == 0
