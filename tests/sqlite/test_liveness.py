"""A worker is alive while its process is, as the kernel says, and dead at once when not."""

from __future__ import annotations

from pathlib import Path

import pytest

from fencepost import Store, connect

from ..processes import line_of, running, tell, wait_until

_WORKER = """
import os, sys
from fencepost import connect
store = connect(sys.argv[1])
print(store.engine.pools.register(1), flush=True)
FORK
sys.stdin.readline()
print("closing", flush=True)
store.close()
sys.stdin.readline()
"""

_FORK = """
if os.fork() == 0:
    print("child", flush=True)
    sys.stdin.read()
    os._exit(0)
"""


def _states(store: Store) -> dict[int, str]:
    return {worker.id: worker.state for worker in store.workers()}


@pytest.fixture
def script() -> str:
    return _WORKER.replace("FORK", "")


# LEASE-12, PROC-4, INGRESS-14
def test_a_killed_worker_is_lost(tmp_path: Path, store: Store, address: str, script: str) -> None:
    with running(["-c", script, address], cwd=tmp_path) as process:
        worker = int(line_of(process))
        assert _states(store) == {worker: "starting"}
        assert store.workers()[0].pid == process.pid

        process.kill()
        process.wait()

        assert _states(store) == {worker: "lost"}


def test_a_killed_worker_is_lost_although_its_child_lives_on(
    tmp_path: Path, store: Store, address: str
) -> None:
    script = _WORKER.replace("FORK", _FORK)
    with running(["-c", script, address], cwd=tmp_path) as process:
        worker = int(line_of(process))
        assert line_of(process) == "child"
        assert _states(store) == {worker: "starting"}

        process.kill()
        process.wait()

        assert _states(store) == {worker: "lost"}


def test_a_worker_that_closes_its_store_is_lost(
    tmp_path: Path, store: Store, address: str, script: str
) -> None:
    with running(["-c", script, address], cwd=tmp_path) as process:
        worker = int(line_of(process))
        tell(process, "close")
        assert line_of(process) == "closing"

        wait_until(lambda: _states(store) == {worker: "lost"}, "the worker's byte is free")


# LEASE-12
def test_looking_frees_nothing(tmp_path: Path, store: Store, address: str, script: str) -> None:
    with running(["-c", script, address], cwd=tmp_path) as process:
        worker = int(line_of(process))

        for _ in range(3):
            assert _states(store) == {worker: "starting"}
            with connect(address) as other:
                assert _states(other) == {worker: "starting"}


def test_two_workers_of_one_process_live_and_die_with_their_own_stores(
    store: Store, address: str
) -> None:
    first, second = connect(address), connect(address)
    one, two = first.engine.pools.register(1), second.engine.pools.register(1)
    assert _states(store) == {one: "starting", two: "starting"}

    first.close()

    assert _states(store) == {one: "lost", two: "starting"}
    second.close()
