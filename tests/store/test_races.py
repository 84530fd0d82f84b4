"""Many processes on one store: one winner for each key, one holder for each delivery."""

from __future__ import annotations

import contextlib
import json
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from fencepost import connect

from ..kits import Kit
from ..processes import line_of, running, tell, wait_until

pytestmark = pytest.mark.processes

ENQUEUE = """
import json, random, sys
from fencepost import connect

with connect(sys.argv[1]) as store:
    queue = store.queue("mail")
    keys = [f"key-{n}" for n in range(2000)]
    random.shuffle(keys)
    print("ready", flush=True)
    sys.stdin.readline()
    answers = {}
    while keys:
        batch = [keys.pop() for _ in range(random.choice([1, 1, 5]) if len(keys) > 5 else 1)]
        receipts = queue.enqueue_many([{"body": key.encode(), "key": key} for key in batch])
        for key, receipt in zip(batch, receipts):
            answers[key] = (receipt.status, receipt.message_id)
    print(json.dumps(answers), flush=True)
"""

CLAIM = """
import json, sys
from fencepost import connect

with connect(sys.argv[1]) as store:
    queue = store.queue("mail")
    print("ready", flush=True)
    sys.stdin.readline()
    seen = []
    while claims := queue.claim(limit=3, lease=600):
        seen += [(claim.id, claim.fence) for claim in claims]
        assert queue.ack_many(claims) == []
    print(json.dumps(seen), flush=True)
"""

STALL = """
import json, sys
from fencepost import FencepostError, connect

with connect(sys.argv[1]) as store:
    (claim,) = store.queue("mail").claim(lease=0.5)
    print(claim.fence, flush=True)
    sys.stdin.readline()
    answers = {}
    def attempt(name, call):
        try:
            call()
            answers[name] = "accepted"
        except FencepostError as error:
            answers[name] = error.code
    def transact():
        with claim.transaction() as tx:
            tx.execute("insert into effects values ('stale')")
    attempt("ack", claim.ack)
    attempt("retry", claim.retry)
    attempt("release", claim.release)
    attempt("bury", lambda: claim.bury("stale"))
    attempt("renew", lambda: claim.renew(30))
    attempt("transaction", transact)
    print(json.dumps(answers), flush=True)
"""


# QUEUE-1, QUEUE-6
def test_eight_processes_enqueue_the_same_keys_and_each_is_accepted_once(
    kit: Kit, tmp_path: Path
) -> None:
    path = kit.address

    answers = _in_processes(ENQUEUE, path, tmp_path, count=8)

    accepted: Counter[str] = Counter()
    ids: dict[str, set[int]] = {}
    for answer in answers:
        for key, (status, message) in answer.items():
            accepted[key] += status == "accepted"
            ids.setdefault(key, set()).add(message)
    assert len(accepted) == 2000
    assert set(accepted.values()) == {1}
    assert all(len(found) == 1 for found in ids.values())
    with connect(path) as store:
        assert store.queue("mail").stats().ready == 2000


# FP-13
def test_eight_processes_claim_the_same_queue_and_each_delivery_goes_to_one(
    kit: Kit,
    tmp_path: Path,
) -> None:
    path = kit.address
    with connect(path) as store:
        store.queue("mail").enqueue_many([{"body": b"%d" % n} for n in range(1000)])

    seen = [
        tuple(pair) for answer in _in_processes(CLAIM, path, tmp_path, count=8) for pair in answer
    ]

    assert sorted(id for id, _ in seen) == list(range(1, 1001))
    assert len({fence for _, fence in seen}) == 1000
    with connect(path) as store:
        assert store.queue("mail").stats().done == 1000


def test_a_stopped_process_that_wakes_late_changes_nothing(kit: Kit, tmp_path: Path) -> None:
    path = kit.address
    with connect(path) as store:
        queue = store.queue("mail")
        queue.enqueue(b"work")
        with store.transaction() as tx:
            tx.execute("create table effects (who text)")
        with running(["-c", STALL, str(path)], cwd=tmp_path) as stalled:
            stale_fence = int(line_of(stalled))
            stalled.send_signal(signal.SIGSTOP)
            (claim,) = wait_until(lambda: queue.claim(lease=600), "the lease to expire")
            before = store.delivery(claim.id)

            stalled.send_signal(signal.SIGCONT)
            tell(stalled, "go on")
            answers = json.loads(line_of(stalled))

        assert set(answers) == {"ack", "retry", "release", "bury", "renew", "transaction"}
        assert set(answers.values()) == {"lease_lost"}
        assert claim.fence > stale_fence
        assert store.delivery(claim.id) == before
        with claim.transaction() as tx:
            tx.execute("insert into effects values ('holder')")
        with store.transaction() as tx:
            assert tx.execute("select who from effects") == [("holder",)]


def _in_processes(code: str, path: str, folder: Path, *, count: int) -> list[Any]:
    """Run the code in many processes that begin together; return what each printed."""
    with contextlib.ExitStack() as stack:
        started = [
            stack.enter_context(running(["-c", code, str(path)], cwd=folder)) for _ in range(count)
        ]
        for process in started:
            assert line_of(process) == "ready"
        for process in started:
            tell(process, "go")
        return [json.loads(line_of(process)) for process in started]
