"""What a forked child has of its parent's store: nothing, and it takes nothing away."""

from __future__ import annotations

import contextlib
from pathlib import Path

import apsw
import pytest

from fencepost import connect

from ..processes import line_of, running, tell
from .inside import ask, gate_is_free

# Forks in a process of its own: a test runner has threads, which do not survive it.
_PRELUDE = """
import os, sys
from fencepost import FencepostError, connect

def refusal(call):
    try:
        call()
    except FencepostError as error:
        return error.code
    return "no error"

def say(*words):
    print(*words, flush=True)

def wait(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

path = sys.argv[1]
"""

_USE = """
store = connect(path)
queue = store.queue("mail")
queue.enqueue(b"work")
(claim,) = queue.claim()
child = os.fork()
if child == 0:
    calls = (
        lambda: queue.enqueue(b"x"), queue.claim, claim.ack, store.stats, store.workers,
        lambda: store.transaction().__enter__(), store.engine.upkeep.ping,
        store.engine.wakeup.clear, store.engine.wakeup.fileno,
    )
    say(*{refusal(call) for call in calls})
    os._exit(0)
say(wait(child))
claim.ack()
say(queue.enqueue(b"more").status)
"""

_INSIDE = """
store = connect(path)
with store.transaction():
    store.queue("mail").enqueue(b"parent's", key="k")
    child = os.fork()
    if child == 0:
        say({
            refusal(lambda: store.queue("mail").enqueue(b"child's")),
            refusal(lambda: connect(path)),
        })
        LEAVE
    say(wait(child))
    sys.stdin.readline()
say("committed")
"""

_AT_EXIT = "import atexit; atexit.register(store.close); sys.exit(0)"

_FALLS_OUT = """
store = connect(path)
child = None
try:
    with store.transaction() as tx:
        store.queue("mail").enqueue(b"parent's")
        with store.transaction() as inner:
            child = os.fork()
            if child == 0:
                say(refusal(lambda: inner.execute("create table t (a)")))
            else:
                say(wait(child))
except FencepostError as error:
    say(error.code)
    os._exit(0)
say(store.stats()["mail"].ready)
"""

_OPENS_ITS_OWN = """
store = connect(path)
store.queue("mail").enqueue(b"parent's", key="1")
told, tell = os.pipe()
child = os.fork()
if child == 0:
    with connect(path) as own:
        say(own.queue("mail").enqueue(b"child's", key="2").status)
        os.read(told, 1)
        say(own.queue("mail").enqueue(b"child's", key="3").status)
    os._exit(0)
sys.stdin.readline()
store.close()
os.write(tell, b"x")
say(wait(child))
"""

_EXIT = """
with connect(path) as store:
    child = os.fork()
    if child == 0:
        sys.exit(7)
    say(wait(child))
    say(store.queue("mail").enqueue(b"work").status)
"""

_LIVES_ON = """
store = connect(path)
transaction = store.transaction()
transaction.__enter__()
child = os.fork()
if child == 0:
    say("child")
    sys.stdin.readline()
    os._exit(0)
wait(child)
"""

_CLOSED = """
store = connect(path)
store.close()
others = [os.pipe() for _ in range(8)]
child = os.fork()
if child == 0:
    for ends in others:
        for fd in ends:
            os.fstat(fd)
    store.close()
    with connect(path) as own:
        say(own.queue("mail").enqueue(b"work").status)
    for ends in others:
        os.fstat(ends[0])
    os._exit(0)
say(wait(child))
"""


def _lines(tmp_path: Path, script: str, count: int) -> list[str]:
    with running(["-c", _PRELUDE + script, str(tmp_path / "store.db")], cwd=tmp_path) as process:
        lines = [line_of(process) for _ in range(count)]
        assert process.wait(60) == 0
    assert (tmp_path / "stderr").read_text() == ""
    return lines


# CONN-7
def test_every_use_in_the_child_is_refused_and_the_parent_goes_on(tmp_path: Path) -> None:
    assert _lines(tmp_path, _USE, 3) == ["forked_store", "0", "accepted"]
    assert ask(tmp_path / "store.db", "pragma integrity_check") == [("ok",)]


def test_a_child_with_a_store_of_its_own_keeps_what_it_wrote_when_the_parent_closes(
    tmp_path: Path,
) -> None:
    """Unless the inherited connection is gone, the child has no lock on its own file."""
    path = tmp_path / "store.db"
    with running(["-c", _PRELUDE + _OPENS_ITS_OWN, str(path)], cwd=tmp_path) as parent:
        assert line_of(parent) == "accepted"
        tell(parent, "close")
        assert [line_of(parent), line_of(parent)] == ["accepted", "0"]
        assert parent.wait(60) == 0

    assert ask(path, "select key from fp_message order by id") == [("1",), ("2",), ("3",)]
    assert ask(path, "pragma integrity_check") == [("ok",)]


def test_a_child_that_leaves_the_block_closes_nothing_of_its_parents(tmp_path: Path) -> None:
    assert _lines(tmp_path, _EXIT, 2) == ["7", "accepted"]


def test_a_fork_after_closing_leaves_other_files_and_the_store_to_the_child(
    tmp_path: Path,
) -> None:
    assert _lines(tmp_path, _CLOSED, 2) == ["accepted", "0"]


def test_a_child_that_comes_to_the_end_of_the_block_commits_nothing(tmp_path: Path) -> None:
    assert _lines(tmp_path, _FALLS_OUT, 4) == ["forked_store", "forked_store", "0", "1"]


@pytest.mark.parametrize("leave", ["os._exit(0)", "sys.exit(0)", _AT_EXIT])
def test_a_fork_within_a_transaction_leaves_the_parents_locks_alone(
    tmp_path: Path, leave: str
) -> None:
    path = tmp_path / "store.db"
    script = _PRELUDE + _INSIDE.replace("LEAVE", leave)
    with running(["-c", script, str(path)], cwd=tmp_path) as parent:
        assert [line_of(parent), line_of(parent)] == ["{'forked_store'}", "0"]

        assert not gate_is_free(path)
        other = apsw.Connection(str(path))
        with contextlib.closing(other), pytest.raises(apsw.BusyError):
            other.execute("begin immediate")
        tell(parent, "go on")
        assert line_of(parent) == "committed"
        assert parent.wait(60) == 0

    assert ask(path, "select key from fp_message") == [("k",)]
    assert ask(path, "pragma integrity_check") == [("ok",)]


def test_a_child_that_lives_on_does_not_keep_its_parents_locks(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with running(["-c", _PRELUDE + _LIVES_ON, str(path)], cwd=tmp_path) as parent:
        assert line_of(parent) == "child"
        parent.kill()
        parent.wait(60)

        with connect(path) as store:
            assert store.queue("mail").enqueue(b"work").status == "accepted"


_FORK_AGAIN = """
store = connect(path)
store.queue("mail").enqueue(b"work")
child = os.fork()
if child == 0:
    grandchild = os.fork()
    if grandchild == 0:
        say(refusal(store.stats))
        os._exit(0)
    os._exit(wait(grandchild))
say(wait(child), store.queue("mail").enqueue(b"more").status)
"""


def test_a_child_of_a_child_is_forked_without_a_word(tmp_path: Path) -> None:
    with running(["-c", _PRELUDE + _FORK_AGAIN, str(tmp_path / "store.db")], cwd=tmp_path) as it:
        assert line_of(it) == "forked_store"
        assert line_of(it) == "0 accepted"

    assert (tmp_path / "stderr").read_text() == ""
