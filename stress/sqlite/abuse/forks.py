"""A store that was opened before a fork, used in the child, and what becomes of its parent's."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable
from pathlib import Path

from ....store import Claim, Store, connect
from ...harness.child_processes import Me
from ...harness.forked import forked
from ...records.history import Recorder
from ...workloads.drain import drain, note_final
from .. import census

_LEAVES: dict[str, Callable[[], object]] = {
    "returns": lambda: None,
    "calls os._exit": lambda: os._exit(0),
    "calls sys.exit": lambda: sys.exit(0),
    "runs what atexit holds": atexit._run_exitfuncs,
}


def fork(me: Me, work: str, times: int) -> None:
    """Fork with a store open, idle and within a transaction; let the child leave in each way."""
    for number in range(times):
        inside_one, (leaves, leave) = number % 2 == 1, list(_LEAVES.items())[number // 2 % 4]
        path = Path(work, f"fork-{number}", "store.db")
        path.parent.mkdir(mode=0o700)
        history = Recorder(Path(work, f"history-fork-{number}"), me.name)
        store = connect(path, busy_timeout=1)
        _enqueue(store, history, "before")
        (claim,) = _claim(store, history)
        where = f"forked {'within a transaction' if inside_one else 'while idle'}, {leaves}"
        if inside_one:
            with history.begin("enqueue", queue="mail", key="within") as call:
                with store.transaction():
                    receipt = store.queue("mail").enqueue(b"hello", key="within")
                    code = forked(_misuse, store, claim, leave, str(path), True)
                call.ok(status=receipt.status, message_id=receipt.message_id)
        else:
            code = forked(_misuse, store, claim, leave, str(path), False)
        with history.begin("ack", id=claim.id, fence=claim.fence, key="before"):
            claim.ack()
        _enqueue(store, history, "after")
        store.close()
        with connect(path) as own:
            drain(own, history, "mail")
            note_final(own, history)
        history.seen("integrity", says=census.integrity(path))
        history.close()
        me.ready(
            fault="forked with a store open",
            verdicts=[("typed-errors", code == 0, f"{where}: {_told(code)}")],
        )
    me.ready(done=True)


def _told(code: int) -> str:
    if code >= 10:
        return f"call {code - 10} in the child did not end with forked_store"
    return f"the child ended with {code}"


def _misuse(
    store: Store, claim: Claim, leave: Callable[[], object], path: str, within: bool
) -> None:
    """Use in a child what is its parent's; end with the number of a call that is not refused."""
    queue = store.queue("mail")
    calls: list[Callable[[], object]] = [
        lambda: queue.enqueue(b"child", key="child's"),
        queue.claim,
        claim.ack,
        store.stats,
        lambda: store.transaction().__enter__(),
        store.sweep,
    ]
    if within:
        calls.append(lambda: connect(path))
    for number, call in enumerate(calls):
        try:
            call()
        except Exception as error:  # noqa: BLE001 - whatever else it is, the parent is told
            if getattr(error, "code", "") == "forked_store":
                continue
        os._exit(10 + number)
    if not within:
        with connect(path) as own:
            own.stats()
    atexit.register(store.close)
    try:
        leave()
    except SystemExit:
        store.close()


def _claim(store: Store, history: Recorder) -> list[Claim]:
    with history.begin("claim", queue="mail") as call:
        claims = store.queue("mail").claim()
        call.ok(
            claims=[
                {"id": each.id, "key": each.message.key, "fence": each.fence, "lease_ms": 30_000}
                for each in claims
            ]
        )
    return claims


def _enqueue(store: Store, history: Recorder, key: str) -> None:
    with history.begin("enqueue", queue="mail", key=key) as call:
        receipt = store.queue("mail").enqueue(b"hello", key=key)
        call.ok(status=receipt.status, message_id=receipt.message_id)
