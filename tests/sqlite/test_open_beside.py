"""Opening a store that others have open: nobody is waited for, and nothing is left undone."""

from __future__ import annotations

import os
import signal
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from fencepost import Store, StoreBusy, connect
from fencepost.store.sqlite.locks.gate import Gate

from ..clock import FakeClock
from ..processes import line_of, running, tell, wait_until
from .holder import holder
from .inside import held_gate

_OPENER = """
import sys, time
from fencepost import connect
store = connect(sys.argv[1])
store.queue("mail").enqueue(b"", key=sys.argv[2])
print("open", flush=True)
sys.stdin.readline()
"""


# OPEN-1
def test_a_store_that_others_have_open_is_opened_past_a_held_gate(
    store: Store, address: str, clock: FakeClock
) -> None:
    with held_gate(address), connect(address, busy_timeout=0, clock=clock) as other:
        assert other.stats() == {}
        assert other.read("select count(*) from fp_message") == [(0,)]
        with pytest.raises(StoreBusy):
            other.queue("mail").enqueue(b"")


# OPEN-1
def test_what_only_looks_takes_less_than_50_ms_while_a_transaction_is_open(address: str) -> None:
    took = []
    with holder(address) as process:
        for _ in range(9):
            started = time.perf_counter()
            with connect(address, create=False) as store:
                assert store.stats() == {}
                assert (store.workers(), store.pools(), store.deliveries()) == ([], [], [])
            took.append(time.perf_counter() - started)
        tell(process, "go on")

    assert statistics.median(took) < 0.050


# OPEN-2
def test_the_first_to_open_a_store_waits_for_the_gate(address: str) -> None:
    connect(address).close()

    with held_gate(address):
        started = time.monotonic()
        with pytest.raises(StoreBusy) as caught:
            connect(address, busy_timeout=0.2)

    assert caught.value.operation == "open"
    assert 0.2 <= caught.value.waited <= time.monotonic() - started


# OPEN-2
def test_one_that_opens_after_a_crash_puts_the_store_in_order_behind_the_gate(
    tmp_path: Path,
) -> None:
    path = tmp_path / "store.db"
    with running(["-c", _OPENER, str(path), "k"], cwd=tmp_path) as process:
        assert line_of(process) == "open"
        process.send_signal(signal.SIGKILL)
        process.wait(60)

    with held_gate(path), pytest.raises(StoreBusy):
        connect(path, busy_timeout=0.05)
    with connect(path) as store:
        assert store.queue("mail").enqueue(b"", key="k").status == "duplicate"


# OPEN-2
def test_a_boot_that_the_store_does_not_know_yet_waits_for_the_gate(
    store: Store, address: str
) -> None:
    later = FakeClock(boot_name="second boot")

    with held_gate(address), pytest.raises(StoreBusy):
        connect(address, busy_timeout=0.05, clock=later)

    with connect(address, clock=later) as other:
        assert other.stats() == {}


# OPEN-3
def test_opening_waits_as_long_as_the_busy_timeout_says(address: str) -> None:
    with ThreadPoolExecutor(1) as pool:
        with held_gate(address):
            opening = pool.submit(connect, address, busy_timeout=60)
            until = time.monotonic() + 0.3
            wait_until(lambda: time.monotonic() > until, "a while")
            assert not opening.done()
        opening.result(timeout=60).close()


# OPEN-4
def test_closing_does_not_wait_for_a_gate_while_others_have_the_store_open(
    store: Store, address: str
) -> None:
    other = connect(address)
    with held_gate(address):
        started = time.monotonic()
        other.close()

    assert time.monotonic() - started < 0.4
    assert Path(f"{address}-wal").exists()


# OPEN-4
def test_the_last_to_close_takes_the_wal_away(address: str) -> None:
    one, other = connect(address), connect(address)
    one.queue("mail").enqueue(b"")

    for store in (one, other):
        assert Path(f"{address}-wal").exists()
        store.close()

    assert not Path(f"{address}-wal").exists()


# OPEN-5
def test_the_first_is_told_from_one_that_still_looks_whether_it_may_open(address: str) -> None:
    """Two that come when the last one has died must not each take the other for in order."""
    settled, arriving, first = (Gate(f"{address}-gate") for _ in range(3))
    with closing(settled), closing(arriving), closing(first), ThreadPoolExecutor(1) as pool:
        assert not arriving.openings.arrive()
        settled.openings.join()
        assert arriving.openings.arrive()
        assert not first.openings.is_first()
        settled.openings.part()

        asked = pool.submit(first.openings.is_first)
        assert not arriving.openings.has_company()
        arriving.openings.part()

        assert asked.result(timeout=60)
        assert not arriving.openings.arrive()
        first.openings.join()
        assert arriving.openings.has_company()


_STORM = """
import sys
from fencepost import connect
for line in sys.stdin:
    with connect(sys.argv[1]) as store:
        print(store.queue("mail").enqueue(b"", key=line.strip()).status, flush=True)
"""


# OPEN-5
def test_stores_that_are_opened_closed_and_killed_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    acknowledged = 0
    with running(["-c", _STORM, str(path)], cwd=tmp_path) as other:
        for number in range(4):
            with running(["-c", _OPENER, str(path), f"killed-{number}"], cwd=tmp_path) as process:
                assert line_of(process) == "open"
                tell(other, f"other-{number}")
                os.kill(process.pid, signal.SIGKILL)
                assert line_of(other) == "accepted"
                acknowledged += 2

    with connect(path) as store:
        assert store.read("select count(*) from fp_message") == [(acknowledged,)]
        assert store.read("pragma integrity_check") == [("ok",)]
    assert (tmp_path / "stderr").read_text() == ""


_WAITING = """
import sys
from multiprocess.connection import Connection
import socket
from fencepost import App
from fencepost.ingest.web.serve import listen, serve
from fencepost.workers.process.receiver import _receive
here, there = socket.socketpair()
app = App(sys.argv[1])
import threading
def tell():
    print(Connection(here.detach()).recv_bytes().decode(), flush=True)
threading.Thread(target=tell, daemon=True).start()
port = listen("127.0.0.1", 0).detach()
_receive(Connection(there.detach()), None, 0, serve, lambda: app, port)
"""


# OPEN-6
def test_sigterm_ends_a_receiver_that_waits_for_its_store(tmp_path: Path) -> None:
    with running(["-c", _WAITING, str(tmp_path / "missing.db")], cwd=tmp_path) as process:
        assert line_of(process) == "waiting"
        process.send_signal(signal.SIGTERM)

        assert process.wait(timeout=10) == 0


_APP = """
from fencepost import App
app = App("store.db", busy_timeout=60)
@app.task("mail")
def mail(message, ctx): ...
"""


# OPEN-3
def test_a_pool_that_starts_waits_as_long_as_its_busy_timeout_says(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(_APP)
    work = ["-m", "fencepost", "work", "app.py", "--workers", "1", "--drain"]
    with holder(str(tmp_path / "store.db")) as other, running(work, cwd=tmp_path) as pool:
        until = time.monotonic() + 3  # longer than the supervisor waits once it is up
        wait_until(lambda: time.monotonic() > until, "a while")
        assert pool.poll() is None, (tmp_path / "stderr").read_text()
        tell(other, "go on")

        assert pool.wait(timeout=90) == 0

    with connect(tmp_path / "store.db") as store:
        assert store.queue("mail").stats().done == 1


# OPEN-6
def test_sigterm_ends_a_pool_that_waits_for_its_store(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(_APP)
    ready = "import fencepost.workers.pool as p; was = p.connect\n"
    work = "import sys; sys.argv = ['fencepost', 'work', 'app.py']\n"
    script = (
        ready
        + work
        + "p.connect = lambda *a, **k: (print('opens', flush=True), was(*a, **k))[1]\n"
        + "from fencepost.cli import main; main()"
    )
    with (
        held_gate(tmp_path / "store.db"),
        running(["-c", script], cwd=tmp_path) as pool,
    ):
        assert line_of(pool) == "opens"
        pool.send_signal(signal.SIGTERM)
        assert pool.wait(timeout=10) in (0, 1, -signal.SIGTERM)
