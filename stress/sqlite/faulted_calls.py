"""Calls of some processes on one store, each made under a fault, and what is left of them.

The processes share the store so that a lock that is left behind is felt by the others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from typing import Any

from ...store import Claim, Queue, Store, connect
from ...store.errors import FencepostError
from ..checker import check
from ..harness.child_processes import Child, Me
from ..harness.run import Run
from ..harness.waiting import PATIENCE_SECONDS, now_and_then
from ..records.census import census, note_end
from ..records.history import Call, Recorder, read
from ..workloads.noted import ack, claim, record, which

# Entered around each call.
Fault = Callable[[], AbstractContextManager[object]]

LEASE_SECONDS = 0.5
# Who waits for the lock says nothing meanwhile.
_SILENCE_SECONDS = 2 * PATIENCE_SECONDS
_QUEUE = "jobs"
_PAUSE_SECONDS = 0.01


def trial(
    run: Run, work: Callable[[Me, str, float], None], times: float
) -> tuple[list[dict[str, Any]], list[Call]]:
    """Have processes work until each has met `times` faults, then check what is there.

    Returns what each said once it was through, and the history.
    """
    path = str(run.folder / "store.db")
    with connect(path, busy_timeout=PATIENCE_SECONDS) as store:
        with store.transaction() as tx:
            tx.execute("create table effects (key text)")
        children = [
            run.start(f"worker-{n}", work, path, times) for n in range(int(run.size["processes"]))
        ]
        told = _listen(children)
        for child in children:
            child.join()
        left = _drain(store.queue(_QUEUE), Recorder(run.folder / "history", "drain"))
    run.check("never-stuck", not left, f"{left} deliveries do not come to their end")
    if left:  # the checker would take them for lost
        return told, read(run.folder / "history")
    with census(path) as seen:
        note_end(Recorder(run.folder / "history", "census"), seen)
    calls = read(run.folder / "history")
    run.add(*check(calls))
    for call in calls:
        if "error" in call.answer:
            stuck = call.answer["error"] in ("invalid_input", "store_busy")
            run.check("never-stuck", not stuck, f"{call.process}: {call.answer['says']}")
    return told, calls


def _listen(children: Sequence[Child]) -> list[dict[str, Any]]:
    """Return what each says at last, as long as it says now and then that it gets on."""
    told: list[dict[str, Any]] = []
    at_work = list(children)
    while at_work:
        for child in list(at_work):
            if facts := child.heard(_SILENCE_SECONDS):
                told.append(facts)
                at_work.remove(child)
    return told


class Worker:
    """Enqueues, claims, and ends what it has claimed, one call under a fault at a time."""

    def __init__(self, me: Me, store: Store) -> None:
        self.me = me
        self.store = store
        self.verbs = [self._enqueue, self._claim, self._ack, self._complete, self._retry]
        self._queue = store.queue(_QUEUE)
        self._gets_on = now_and_then(me.ready)
        self._keys = 0
        self._claims: list[Claim] = []

    def step(self, fault: Fault) -> None:
        """Make one call, and raise what it raised."""
        self._gets_on()
        self.me.random.choice(self.verbs)(fault)

    def _enqueue(self, fault: Fault) -> None:
        self._keys += self.me.random.random() < 0.7  # else the last one again
        key = f"{self.me.name}-{self._keys}"
        with self.me.history.begin("enqueue", queue=_QUEUE, key=key, lane=None) as call:
            with fault():
                receipt = self._queue.enqueue(key.encode() * 50, key=key)
            call.ok(status=receipt.status, message_id=receipt.message_id)

    def _claim(self, fault: Fault) -> None:
        with self.me.history.begin("claim", queue=_QUEUE) as call:
            with fault():
                claims = self._queue.claim(limit=2, lease=LEASE_SECONDS)
            call.ok(claims=[record(claim, LEASE_SECONDS) for claim in claims])
        self._claims += claims

    def _ack(self, fault: Fault) -> None:
        self._end("ack", fault, lambda claim: claim.ack())

    def _retry(self, fault: Fault) -> None:
        self._end("retry", fault, lambda claim: claim.retry(delay=0))

    def _complete(self, fault: Fault) -> None:
        def complete(claim: Claim) -> None:
            with claim.transaction() as tx:
                tx.execute("insert into effects values (?)", (claim.message.key,))

        self._end("complete", fault, complete)

    def _end(self, op: str, fault: Fault, end: Callable[[Claim], object]) -> None:
        if not self._claims:
            return
        claim = self._claims.pop()
        with self.me.history.begin(op, **which(claim)) as call:
            with fault():
                end(claim)
            call.ok()


def _drain(queue: Queue, history: Recorder) -> int:
    """Work off what is left, as long as it becomes less; return how many stay."""
    left, since = -1, time.monotonic()
    while True:
        stats = queue.stats()
        before, left = left, stats.ready + stats.scheduled + stats.leased
        if left != before:
            since = time.monotonic()
        if not left or time.monotonic() - since > PATIENCE_SECONDS:
            return left
        claims = claim(history, queue, limit=50)
        for each in claims:
            with suppress(FencepostError):
                ack(history, each)
        if not claims:
            time.sleep(_PAUSE_SECONDS)
