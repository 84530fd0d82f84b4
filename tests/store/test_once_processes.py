"""Keys between real processes: raced for, stopped and killed."""

from __future__ import annotations

import contextlib
import json
import signal
from collections import Counter
from pathlib import Path

import pytest

from fencepost import Once, Store, connect

from ..kits import Kit
from ..processes import line_of, running, tell, wait_until

pytestmark = pytest.mark.processes

RACE = """
import json, random, sys
from fencepost import connect

with connect(sys.argv[1], durability="normal") as store:
    keys = [f"key-{n}" for n in range(200)]
    random.shuffle(keys)
    print("ready", flush=True)
    sys.stdin.readline()
    claimed = []
    for key in keys:
        found = store.once("n", key, lease=600)
        if found.claimed:
            claimed.append((key, found.fence))
            found.complete(key)
    print(json.dumps(claimed), flush=True)
"""

STALL = """
import json, sys
from fencepost import FencepostError, connect

with connect(sys.argv[1]) as store:
    found = store.once("n", "k", lease=0.5)
    print(found.claimed, flush=True)
    sys.stdin.readline()
    answers = {"lost": found.lost}
    for name in ("complete", "release", "renew"):
        try:
            getattr(found, name)()
            answers[name] = "accepted"
        except FencepostError as error:
            answers[name] = error.code
    print(json.dumps(answers), flush=True)
"""

GUARDED = """
import sys
from fencepost import connect

store = connect(sys.argv[1])

@store.idempotent("n", key=lambda: "k", lease=1)
def work():
    print("working", flush=True)
    sys.stdin.readline()

work()
"""


# EFFECT-14, DEDUPE-7, DEDUPE-12
def test_eight_processes_claim_the_same_keys_and_each_goes_to_one(kit: Kit, tmp_path: Path) -> None:
    path = kit.address
    with contextlib.ExitStack() as stack:
        racers = [
            stack.enter_context(running(["-c", RACE, str(path)], cwd=tmp_path)) for _ in range(8)
        ]
        assert {line_of(racer) for racer in racers} == {"ready"}
        for racer in racers:
            tell(racer, "go")
        claimed = [tuple(pair) for racer in racers for pair in json.loads(line_of(racer))]

    assert Counter(key for key, _ in claimed) == {f"key-{n}": 1 for n in range(200)}
    assert len({fence for _, fence in claimed}) == 200
    with connect(path) as store:
        assert all(store.once("n", key).result == key for key, _ in claimed)


def test_a_stopped_process_that_wakes_late_changes_nothing(kit: Kit, tmp_path: Path) -> None:
    path = kit.address
    with connect(path) as store, running(["-c", STALL, str(path)], cwd=tmp_path) as stalled:
        assert line_of(stalled) == "True"
        stalled.send_signal(signal.SIGSTOP)
        taken = wait_until(lambda: _claim(store), "the lease to expire")
        taken.complete({"by": "the holder"})

        stalled.send_signal(signal.SIGCONT)
        tell(stalled, "go on")
        answers = json.loads(line_of(stalled))

        assert answers == {"lost": True} | dict.fromkeys(
            ("complete", "release", "renew"), "lease_lost"
        )
        assert store.once("n", "k").result == {"by": "the holder"}


# CLAIMKEY-6, DEDUPE-7, FP-3
def test_the_key_of_a_killed_process_is_free_after_its_lease(kit: Kit, tmp_path: Path) -> None:
    path = kit.address
    with running(["-c", GUARDED, str(path)], cwd=tmp_path) as killed, connect(path) as store:
        assert line_of(killed) == "working"
        expiries = set()

        def renewed() -> bool:
            expiries.add(store.once("n", "k").expires_at)
            return len(expiries) > 2

        wait_until(renewed, "the lease to be renewed twice")
        holder = store.once("n", "k").holder
        killed.kill()
        killed.wait()

        taken = wait_until(lambda: _claim(store), "the lease to expire")

        assert taken.displaced.owner == holder
        taken.complete("done by another")
        assert store.once("n", "k").result == "done by another"


def _claim(store: Store) -> Once | None:
    found = store.once("n", "k", lease=600)
    return found if found.claimed else None
