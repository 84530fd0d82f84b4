"""What others may do to the files of an open store, and what we never do to them."""

from __future__ import annotations

import os
import pickle
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fencepost import FencepostError, InvalidInput, Queue, Store, StoreOpenFailed, connect

from ..processes import line_of, running, tell
from .inside import ask
from .test_places import SIDECARS

_OPENS = """
import os, sys
path, dest = sys.argv[1:]
seen = []

def watch(event, arguments):
    # One that must make the file opens nothing when it is there.
    if event == "open" and not arguments[2] & os.O_EXCL:
        if str(arguments[0]) in (path, path + "-wal", path + "-shm"):
            seen.append(arguments[0])

from fencepost import connect
with connect(path) as store:  # what looks at the file before, does so before any connection
    sys.addaudithook(watch)
    other = connect(path)
    queue = store.queue("mail")
    queue.enqueue_many([{"body": b"x" * 5000} for _ in range(2000)])
    queue.ack_many(queue.claim(limit=100))
    other.stats()
    store.probe()
    store.engine.upkeep.integrity()
    store.engine.upkeep.audit()
    store.engine.upkeep.tick()
    store.sweep()
    store.backup(dest)
    connect(path).close()
print(seen)
"""

_HOLDS = """
import sys
from fencepost import FencepostError, connect
store = connect(sys.argv[1])
queue = store.queue("mail")
for n in range(20):
    queue.enqueue(b"x" * 3000, key=f"{n}")
print("stored", flush=True)
sys.stdin.readline()
try:
    queue.enqueue(b"more", key="more")
    print("accepted", flush=True)
except FencepostError as error:
    print(error.code, flush=True)
sys.stdin.readline()
"""


# P7, WAL-10
def test_no_file_of_the_database_is_opened_beside_sqlite(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _OPENS, str(tmp_path / "store.db"), str(tmp_path / "copy.db")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ended.returncode, ended.stdout.strip()) == (0, "[]"), ended.stderr


# P13
def test_a_wal_cut_under_an_open_store_is_a_typed_error_for_the_next(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with running(["-c", _HOLDS, str(path)], cwd=tmp_path) as process:
        assert line_of(process) == "stored"
        os.truncate(f"{path}-wal", 0)

        with pytest.raises(FencepostError) as caught:
            connect(path)

    assert caught.value.code in ("store_corrupt", "store_open_failed")


def test_a_shm_cut_under_an_open_store_costs_nothing_that_was_acknowledged(
    tmp_path: Path,
) -> None:
    path = tmp_path / "store.db"
    with running(["-c", _HOLDS, str(path)], cwd=tmp_path) as process:
        assert line_of(process) == "stored"
        os.truncate(f"{path}-shm", 0)
        told, _ = process.communicate("go on\nend\n", timeout=60)
    # SQLite reads the file through a mapping, which the kernel answers with SIGBUS.
    assert (process.returncode, told) == (-signal.SIGBUS, "") or process.returncode == 0

    with connect(path) as store:
        keys = [key for (key,) in store.read("select key from fp_message order by id")]
        assert keys[:20] == [f"{n}" for n in range(20)]
        assert ("more" in keys) == ("accepted" in told)
    assert ask(path, "pragma integrity_check") == [("ok",)]


# P14
def test_a_store_unlinked_under_a_process_takes_nothing_more(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with running(["-c", _HOLDS, str(path)], cwd=tmp_path) as process:
        assert line_of(process) == "stored"
        path.unlink()
        tell(process, "go on")

        assert line_of(process) == "store_failed"


# P16
@pytest.mark.parametrize("suffix", SIDECARS)
def test_a_sidecar_with_a_second_name_is_refused_and_untouched(tmp_path: Path, suffix: str) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    os.link(victim, tmp_path / f"store.db{suffix}")

    with pytest.raises(StoreOpenFailed):
        connect(tmp_path / "store.db")

    assert victim.read_bytes() == b"precious"
    assert not (tmp_path / "store.db").exists()


# S9
@pytest.mark.parametrize("name", ["../esc", "a/b", "file:x", ":memory:", "", ".", "..", "a\0b"])
def test_a_name_is_never_a_path(store: Store, address: str, name: str) -> None:
    before = sorted(os.listdir(os.path.dirname(address)))

    with pytest.raises(InvalidInput):
        store.queue(name)

    assert sorted(os.listdir(os.path.dirname(address))) == before


class _Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("exploded",)


# S10
def test_a_stored_pickle_stays_bytes(
    store: Store, queue: Queue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    planted = pickle.dumps(_Bomb())
    queue.enqueue(planted, key="k")

    (claim,) = queue.claim()
    store.content(claim.id)

    assert claim.message.body == planted
    assert not (tmp_path / "exploded").exists()


# S10
def test_nothing_in_the_store_can_unpickle() -> None:
    root = Path(__file__).parents[2] / "store"

    for file in root.rglob("*.py"):
        assert not re.search(r"\b(pickle|dill|marshal|shelve)\b", file.read_text()), file
