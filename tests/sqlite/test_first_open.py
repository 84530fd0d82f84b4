"""Many processes open a store that is not there yet: one makes it, all of them have it."""

from __future__ import annotations

import contextlib
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import apsw
import pytest

from fencepost import connect
from fencepost.store.sqlite.file import schema

from ..processes import line_of, running, tell, wait_until
from .inside import ask, connection, held_gate

OPENERS = 16
ROUNDS = 3

_OPENER = """
import sys
from fencepost import connect
print("ready", flush=True)
for path in sys.stdin:
    with connect(path.strip()) as store:
        receipt = store.queue("mail").enqueue(b"hello", key="the same")
        print(receipt.status, receipt.message_id, flush=True)
"""


# SCHEMA-4
def test_sixteen_processes_open_a_new_store_at_once(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        openers = [
            stack.enter_context(running(["-c", _OPENER], cwd=tmp_path)) for _ in range(OPENERS)
        ]
        assert [line_of(opener) for opener in openers] == ["ready"] * OPENERS

        for number in range(ROUNDS):
            path = tmp_path / str(number) / "store.db"
            path.parent.mkdir()
            for opener in openers:
                tell(opener, str(path))
            answers = [line_of(opener) for opener in openers]

            assert sorted(answers) == ["accepted 1"] + ["duplicate 1"] * (OPENERS - 1)
            assert ask(path, "select count(*) from fp_store") == [(1,)]
            assert ask(path, "pragma user_version") == [(len(schema.MIGRATIONS) + 1,)]

    assert (tmp_path / "stderr").read_text() == ""


# CONN-2, WAL-5
def test_a_stranger_who_makes_the_file_first_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "store.db").touch()

    with connect(tmp_path / "store.db") as one, connect(tmp_path / "store.db") as other:
        assert one.queue("mail").enqueue(b"hello", key="k").status == "accepted"
        assert other.queue("mail").enqueue(b"hello", key="k").status == "duplicate"


# CONN-2, WAL-5, KV-10
@pytest.mark.parametrize(
    ("hold", "waits_in"),
    [
        ("begin exclusive", 'connection.pragma("schema_version")'),
        (
            "begin; select count(*) from sqlite_schema",
            'answer = connection.pragma("journal_mode", "wal")',
        ),
    ],
)
def test_a_lock_of_a_stranger_is_waited_for_at_every_step(
    tmp_path: Path, hold: str, waits_in: str
) -> None:
    path = tmp_path / "store.db"

    def is_waiting() -> bool:
        stacks = [traceback.extract_stack(frame) for frame in sys._current_frames().values()]
        return any((stack[-1].line or "").startswith(waits_in) for stack in stacks)

    with contextlib.closing(apsw.Connection(str(path))) as stranger, ThreadPoolExecutor(1) as pool:
        stranger.execute(hold).fetchall()
        opening = pool.submit(connect, path)
        wait_until(is_waiting, "the opener waits for the lock")
        stranger.execute("rollback")

        with opening.result(timeout=60) as store:
            assert connection(store).pragma("journal_mode") == "wal"


def test_an_opener_touches_nothing_before_it_has_passed_the_gate(tmp_path: Path) -> None:
    path = tmp_path / "store.db"

    def is_waiting() -> bool:
        stacks = [traceback.extract_stack(frame) for frame in sys._current_frames().values()]
        return any(call.filename.endswith("gate.py") for stack in stacks for call in stack)

    with ThreadPoolExecutor(1) as pool:
        with held_gate(path):
            opening = pool.submit(connect, path)
            wait_until(is_waiting, "the opener waits at the gate")
            assert not path.exists()
        opening.result(timeout=60).close()

    assert path.exists()
