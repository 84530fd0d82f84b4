"""Leases between real processes: raced for, stopped, killed and forked."""

from __future__ import annotations

import contextlib
import json
import signal
from pathlib import Path

import pytest

from fencepost import connect

from ..kits import Kit
from ..processes import line_of, running, tell, wait_until

pytestmark = pytest.mark.processes

STALL = """
import json, sys
from fencepost import FencepostError, connect

with connect(sys.argv[1]) as store:
    lease = store.leases.acquire("deploy", ttl=0.5)
    print(lease.fence, flush=True)
    sys.stdin.readline()
    answers = {"lost": lease.lost}
    def attempt(name, call):
        try:
            call()
            answers[name] = "accepted"
        except FencepostError as error:
            answers[name] = error.code
    def transact():
        with store.transaction(fence=lease) as tx:
            tx.execute("insert into effects values ('stale')")
    attempt("transaction", transact)
    attempt("renew", lease.renew)
    attempt("release", lease.release)
    print(json.dumps(answers), flush=True)
"""

STALL_HOLDING = """
import sys
from fencepost import LeaseLost, connect

with connect(sys.argv[1]) as store:
    try:
        with store.leases.hold("deploy", ttl=1) as lease:
            print("held", flush=True)
            sys.stdin.readline()
            print(lease.lost, flush=True)
    except LeaseLost as error:
        print(error.cause, flush=True)
"""

STALL_INSIDE = """
import os, signal, sys
from fencepost import LeaseLost, connect

with connect(sys.argv[1]) as store:
    lease = store.leases.acquire("deploy", ttl=float(sys.argv[2]))
    try:
        with store.transaction(fence=lease) as tx:
            tx.execute("insert into effects values ('stale')")
            print("inside", flush=True)
            sys.stdin.readline()
    except LeaseLost as error:
        print(error.cause, flush=True)
"""

RACE = """
import json, sys
from fencepost import connect

with connect(sys.argv[1]) as store:
    print("ready", flush=True)
    sys.stdin.readline()
    fences = []
    for _ in range(25):
        lease = store.leases.acquire("deploy", ttl=60, wait=60)
        with store.transaction(fence=lease) as tx:
            ((n,),) = tx.execute("select count(*) from effects where who = 'in'")
            assert n == 0
            tx.execute("insert into effects values ('in')")
        with store.transaction(fence=lease) as tx:
            tx.execute("update effects set who = 'out'")
            lease.release()
        fences.append(lease.fence)
    print(json.dumps(fences), flush=True)
"""

FORK = """
import os, sys
from fencepost import FencepostError, connect

def refusal(call):
    try:
        call()
    except FencepostError as error:
        return error.code
    return "no error"

store = connect(sys.argv[1])
child = None
try:
    with store.leases.hold("deploy", ttl=30) as lease:
        child = os.fork()
        if child == 0:
            print(lease.lost, refusal(lease.renew), refusal(lease.release), flush=True)
        else:
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
            print(lease.lost, refusal(lease.renew), store.leases.try_acquire("deploy"))
except FencepostError as error:
    print(error.code, flush=True)
if child == 0:
    os._exit(0)
print(store.leases.try_acquire("deploy") is not None, flush=True)
"""


def _with_effects(path: str) -> None:
    with connect(path) as store, store.transaction() as tx:
        tx.execute("create table effects (who text)")


def _effects(path: str) -> list[str]:
    with connect(path) as store, store.transaction() as tx:
        return [row[0] for row in tx.execute("select who from effects")]


# OLEASE-7, LEASE-10
def test_a_stopped_holder_that_wakes_late_changes_nothing(kit: Kit, tmp_path: Path) -> None:
    path = kit.address
    _with_effects(path)
    with running(["-c", STALL, str(path)], cwd=tmp_path) as stalled, connect(path) as store:
        stale_fence = int(line_of(stalled))
        stalled.send_signal(signal.SIGSTOP)
        taken = store.leases.acquire("deploy", ttl=600, wait=60)
        before = store.leases.get("deploy")

        stalled.send_signal(signal.SIGCONT)
        tell(stalled, "go on")
        answers = json.loads(line_of(stalled))

        assert answers == {"lost": True} | dict.fromkeys(
            ("transaction", "renew", "release"), "lease_lost"
        )
        assert taken.fence > stale_fence
        assert taken.displaced is not None
        assert taken.displaced.fence == stale_fence
        assert store.leases.get("deploy") == before
        with store.transaction(fence=taken) as tx:
            tx.execute("insert into effects values ('holder')")
    assert _effects(path) == ["holder"]


# LEASE-18
def test_a_stopped_process_that_held_finds_its_lease_lost(kit: Kit, tmp_path: Path) -> None:
    path = kit.address
    connect(path).close()
    with running(["-c", STALL_HOLDING, str(path)], cwd=tmp_path) as stalled:
        assert line_of(stalled) == "held"
        stalled.send_signal(signal.SIGSTOP)
        with connect(path) as store:
            taken = store.leases.acquire("deploy", ttl=600, wait=60)

            stalled.send_signal(signal.SIGCONT)
            tell(stalled, "go on")

            assert line_of(stalled) == "True"
            assert line_of(stalled) == "superseded"
            taken.renew()


# LEASE-10
def test_a_process_stopped_within_its_transaction_past_its_lease_writes_nothing(
    kit: Kit,
    tmp_path: Path,
) -> None:
    path = kit.address
    _with_effects(path)
    with (
        connect(path) as store,
        running(["-c", STALL_INSIDE, str(path), "3"], cwd=tmp_path) as stalled,
    ):
        assert line_of(stalled) == "inside"
        stalled.send_signal(signal.SIGSTOP)
        lease = store.leases.get("deploy")
        assert lease is not None
        wait_until(
            lambda: store.engine.clock.now_ms() / 1000 > lease.expires_at, "the lease to expire"
        )
        stalled.send_signal(signal.SIGCONT)
        tell(stalled, "go on")

        assert line_of(stalled) == "expired"
    assert _effects(path) == []


def test_a_process_killed_within_its_transaction_writes_nothing_and_its_lease_ends(
    kit: Kit,
    tmp_path: Path,
) -> None:
    path = kit.address
    _with_effects(path)
    with running(["-c", STALL_INSIDE, str(path), "1"], cwd=tmp_path) as killed:
        assert line_of(killed) == "inside"
        killed.kill()
        killed.wait()

    with connect(path) as store:
        taken = store.leases.acquire("deploy", wait=60)
        assert taken.displaced is not None
    assert _effects(path) == []


# LEASE-2, LEASE-4, OLEASE-1
def test_of_many_processes_one_at_a_time_holds_the_lease(kit: Kit, tmp_path: Path) -> None:
    path = kit.address
    _with_effects(path)
    with contextlib.ExitStack() as stack:
        racers = [
            stack.enter_context(running(["-c", RACE, str(path)], cwd=tmp_path)) for _ in range(4)
        ]
        assert {line_of(racer) for racer in racers} == {"ready"}
        for racer in racers:
            tell(racer, "go")
        fences = [json.loads(line_of(racer)) for racer in racers]

    assert all(found == sorted(found) for found in fences)
    assert len({fence for found in fences for fence in found}) == 100
    assert _effects(path) == ["out"] * 100


def test_a_forked_child_has_no_lease_and_takes_none_away(kit: Kit, tmp_path: Path) -> None:
    path = kit.address
    with running(["-W", "ignore", "-c", FORK, str(path)], cwd=tmp_path) as process:
        assert line_of(process) == "True forked_store forked_store"
        assert line_of(process) == "lease_lost"
        assert line_of(process) == "False no error None"
        assert line_of(process) == "True"
