"""A disk with no byte free: what is stored can still be worked off, and nothing more comes in."""

from __future__ import annotations

import json
import os
import random
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from fencepost import OutcomeUnknown, Queue, Store, StoreFull, connect
from fencepost.store.sqlite.file import space
from fencepost.stress.sqlite.disk.disk import Disk

from ..clock import FakeClock
from ..processes import PATIENCE_SECONDS
from .inside import ask, session

# In a mount namespace of its own, so that the mount goes with the process.
_ON_A_SMALL_DISK = ["unshare", "--mount", "sh", "-c"]
_MOUNT = 'mount -t tmpfs -o size=4m none "$1"'

_FILL = """
import json, os, sys
from pathlib import Path
from fencepost import OutcomeUnknown, StoreFull, connect
folder, size, at_once, reopens = Path(sys.argv[1]), *map(int, sys.argv[2:])

def refused():
    try:
        queue.enqueue(b"more", key="more")
    except StoreFull:
        return True

store = connect(folder / "store.db")
queue = store.queue("mail")
stored = []
try:
    while True:
        queue.enqueue(os.urandom(size), key=str(len(stored)))
        stored.append(str(len(stored)))
except StoreFull:
    pass
with (folder / "foreign").open("wb", buffering=0) as foreign:
    for block in (65536, 4096, 1):
        try:
            while True:
                foreign.write(bytes(block))
        except OSError:
            pass
free = os.statvfs(folder).f_bavail
if reopens:
    store.close()
    store = connect(folder / "store.db")
    queue = store.queue("mail")
refusals = [refused()]
done = []
while claims := queue.claim(limit=at_once):
    assert queue.ack_many(claims) == []
    done += [claim.message.key for claim in claims]
    refusals.append(refused())
(folder / "foreign").unlink()
accepted = queue.enqueue(b"more", key="more").status
store.engine.upkeep.tick()
store.close()
print(json.dumps({
    "free": free, "lost": sorted(set(stored) - set(done)), "stored": len(stored),
    "refused": all(refusals), "accepted": accepted,
    "ballast": (folder / "store.db-ballast").exists(),
}))
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Path:
    """A folder that a process may mount a small disk on."""
    folder = tmp_path / "disk"
    folder.mkdir(mode=0o700)
    try:
        tried = subprocess.run(
            [*_ON_A_SMALL_DISK, _MOUNT, "-", str(folder)], capture_output=True, check=False
        )
    except FileNotFoundError:
        pytest.skip("there is no unshare(1) to mount a small disk with")
    if tried.returncode:
        pytest.skip(f"this account may not mount a disk: {tried.stderr.decode().strip()}")
    return folder


@pytest.mark.parametrize(
    ("size", "at_once", "reopens"), [(0, 100, 0), (300, 1, 0), (3000, 1000, 1), (20_000, 10, 1)]
)
def test_on_a_full_disk_all_that_was_acknowledged_is_worked_off(
    small_disk: Path, size: int, at_once: int, reopens: int
) -> None:
    ended = subprocess.run(
        [
            *_ON_A_SMALL_DISK,
            f'{_MOUNT} && shift && exec "$@"',
            "-",
            str(small_disk),
            sys.executable,
            "-c",
            _FILL,
            *(str(small_disk), str(size), str(at_once), str(reopens)),
        ],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )

    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert found["free"] == 0
    assert found["stored"] > 50
    assert found["lost"] == []
    assert found["refused"]
    assert found["accepted"] == "accepted"
    assert found["ballast"]


def test_the_ballast_takes_real_room_and_is_the_owners_alone(store: Store, address: str) -> None:
    found = os.stat(address + space.BALLAST)

    assert found.st_size == space._ballast_bytes(address) >= 256 * 1024
    assert found.st_blocks * 512 >= found.st_size
    assert stat.S_IMODE(found.st_mode) == 0o600


def _nearly_full(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    monkeypatch.setattr(space, "_free", lambda path: free)


def test_growing_is_refused_before_the_disk_is_full_and_finishing_is_not(
    store: Store, queue: Queue, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.enqueue(b"before")
    _nearly_full(monkeypatch, 1024 * 1024)

    with pytest.raises(StoreFull) as caught:
        queue.enqueue(b"more")
    with pytest.raises(StoreFull), store.transaction():
        queue.enqueue(b"more")
    (claim,) = queue.claim()
    claim.ack()

    assert (caught.value.operation, caught.value.path) == ("enqueue", address)
    assert queue.stats().done == 1


def test_a_body_larger_than_the_room_that_is_left_is_refused(
    queue: Queue, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _nearly_full(monkeypatch, space._ballast_bytes(address) * 5 // 4 + 4 * 1024 * 1024)

    with pytest.raises(StoreFull):
        queue.enqueue(random.randbytes(2 * 1024 * 1024))

    assert queue.enqueue(b"x" * 1024).status == "accepted"


def test_what_the_wal_holds_counts_until_it_is_in_the_database(
    queue: Queue, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = apsw.Connection(address)
    other.execute("begin; select * from fp_queue").fetchall()
    queue.enqueue(random.randbytes(2 * 1024 * 1024))
    _nearly_full(monkeypatch, space._ballast_bytes(address) * 5 // 4 + 1024 * 1024)

    with pytest.raises(StoreFull):
        queue.enqueue(b"more")
    other.execute("commit")

    assert queue.enqueue(b"more").status == "accepted"
    other.close()


def test_new_names_are_not_leased_on_a_nearly_full_disk_and_known_ones_are(
    store: Store, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.leases.acquire("report").release()
    _nearly_full(monkeypatch, 1024 * 1024)

    with pytest.raises(StoreFull) as caught:
        store.leases.acquire("deploy")
    store.leases.acquire("report").renew()

    assert (caught.value.operation, caught.value.path) == ("acquire", address)


@pytest.mark.parametrize("verb", ["claim", "ack", "retry", "release", "bury", "renew", "cancel"])
def test_what_frees_work_drops_the_ballast_and_is_done_once_more(
    disk: Disk, address: str, clock: FakeClock, verb: str
) -> None:
    with connect(address, clock=clock) as store:
        queue = store.queue("mail")
        queue.enqueue_many([{"body": b"one"}, {"body": b"two"}])
        (claim,) = queue.claim()
        calls: dict[str, Callable[[], object]] = {
            "claim": queue.claim,
            "ack": claim.ack,
            "retry": claim.retry,
            "release": claim.release,
            "bury": lambda: claim.bury("why"),
            "renew": lambda: claim.renew(60),
            "cancel": lambda: store.cancel(2),
        }
        disk.inject("write", 1, "ENOSPC", of="-wal")

        calls[verb]()

        assert disk.met == 1
        assert not os.path.exists(address + space.BALLAST)
        assert store.engine.upkeep.tick() is not None
        assert os.path.exists(address + space.BALLAST)


def test_a_disk_that_stays_full_is_said_after_the_second_time(
    disk: Disk, store: Store, queue: Queue
) -> None:
    queue.enqueue(b"one")
    disk.inject("write", 1, "ENOSPC", of="-wal", for_ever=True)

    with pytest.raises((StoreFull, OutcomeUnknown)):
        queue.claim()
    disk.heal()

    assert disk.met == 2


def test_storing_more_leaves_the_ballast_where_it_is(disk: Disk, address: str) -> None:
    with connect(address) as store:
        disk.inject("write", 1, "ENOSPC", of="-wal", for_ever=True)

        with pytest.raises((StoreFull, OutcomeUnknown)):
            store.queue("mail").enqueue(b"one")

    assert disk.met == 1
    assert os.path.exists(address + space.BALLAST)


def test_the_ballast_goes_before_a_transaction_that_may_not_fit(
    queue: Queue, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _nearly_full(monkeypatch, 100 * 1024)

    queue.claim()

    assert not os.path.exists(address + space.BALLAST)


def test_upkeep_puts_no_ballast_back_while_there_is_little_room(
    store: Store, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    space.drop_ballast(address)
    _nearly_full(monkeypatch, 2 * space._ballast_bytes(address) - 1)

    store.engine.upkeep.tick()

    assert not os.path.exists(address + space.BALLAST)


def test_a_sweep_frees_room_on_a_full_disk(disk: Disk, address: str) -> None:
    with connect(address) as store:
        queue = store.queue("mail")
        queue.enqueue(b"old")
        queue.ack_many(queue.claim())
        with session(store).write("test") as write:
            write.run("update fp_message set expires_at_ms = 1")
        disk.inject("write", 1, "ENOSPC", of="-wal")

        assert store.sweep() == 2
        assert ask(address, "select count(*) from fp_message") == [(0,)]


@pytest.mark.parametrize("ending", ["ack", "bury", "retry, then bury"])
def test_finishing_all_that_is_there_grows_the_database_by_less_than_is_kept_for_it(
    address: str, ending: str
) -> None:
    with connect(address, durability="normal") as store:
        queue = store.queue("mail")
        queue.enqueue_many([{"body": b""}] * 1000)
        session(store).checkpoint()
        before = os.path.getsize(address)

        while claims := queue.claim(limit=1000):
            with store.transaction():
                for claim in claims:
                    if ending == "ack":
                        claim.ack()
                    elif ending == "bury" or claim.attempt > 1:
                        claim.bury("it failed")
                    else:
                        claim.retry(delay=0, error="it failed")
        session(store).checkpoint()

        assert os.path.getsize(address) - before < before // space._GROWTH
