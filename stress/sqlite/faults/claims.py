"""Faults in who holds a claim, and in what a claim gives."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from msgspec.structs import replace

from ....store.engine import Hold, Leased
from ....store.sqlite.leases import named_leases as named
from ....store.sqlite.leases import once
from ....store.sqlite.queue import claim, counters, holding, settle
from ....store.sqlite.queue.claimable import IN_ORDER, READY, THERE
from ....store.sqlite.queue.sets import claim as claim_set
from ....store.sqlite.queue.sets import end as end_set
from ....store.sqlite.queue_verbs import SqliteQueue
from ....store.sqlite.session.write import Write
from ....store.types.messages.draft import Draft
from ....store.types.messages.receipt import Receipt
from ...harness.faults import fault

_FENCED = {
    holding: ("_HOLDING", "_HOLDING_OR_DEAD"),
    settle: ("_ACK", "_RETRY", "_RELEASE", "_BURY", "_RENEW"),
}

_FENCE_OF_A_SET = "fence = :offset + id"


def _claim_held(predicate: str) -> None:
    """Have every statement that looks at a claim, or ends it, ask for this in place of its proof."""
    for module, names in _FENCED.items():
        for name in names:
            sql = vars(module)[name]
            vars(module)[name] = sql.replace("fence = :fence and token = :token", predicate)
    of_a_set = predicate.replace("fence = :fence", _FENCE_OF_A_SET)
    for statement in (end_set._ACK, end_set._RELEASE):
        for text in ("run", "any"):
            sql = vars(statement)[text]
            proof = f"{_FENCE_OF_A_SET} and token = :token"
            setattr(statement, text, sql.replace(proof, of_a_set))


@fault("a key is looked up before the transaction that stores it")
def dedupe_before() -> None:
    was = SqliteQueue.enqueue

    def enqueue(self: SqliteQueue, drafts: Sequence[Draft]) -> list[Receipt]:
        return [one(self, draft) for draft in drafts]

    def one(self: SqliteQueue, draft: Draft) -> Receipt:
        known = "select id from fp_message where key = :key"
        for (id,) in self._session.read(known, {"key": draft.key}):
            return Receipt("duplicate", id, None, None)
        time.sleep(0.005)  # so that somebody comes in between on a slow machine too
        # So that the unique index does not see it.
        unseen = replace(draft, scope=f"{draft.scope} {secrets.token_hex(4)}")
        return was(self, [unseen])[0]

    SqliteQueue.enqueue = enqueue  # type: ignore[method-assign]


@fault("a claim takes the oldest ready delivery of a lane, though an older one is claimed")
def lanes_by_snapshot() -> None:
    # What another has of the lane in hand is not seen.
    first = (
        "and (lane is null or id = (select min(id) from fp_delivery as other where"
        " other.queue = :queue and other.lane = fp_delivery.lane and other.state = 'ready'))"
    )
    of_queue = f"from fp_delivery where queue = :queue and {READY}"
    there = f"select 1 {of_queue}"
    in_order = (
        f"select id as picked, priority as rank {of_queue} {first} order by rank desc, picked"
    )
    claim._PICK = claim._PICK.replace(IN_ORDER, in_order)
    claim._LEASE = claim._LEASE.replace("and behind = 0", "")
    claim_set._HEAD = claim_set._HEAD.replace(THERE, there)
    claim_set._PICK = claim_set._PICK.replace(IN_ORDER, in_order)
    for text in ("run", "any"):
        setattr(claim_set._LEASE, text, vars(claim_set._LEASE)[text].replace("and behind = 0", ""))


@fault("the ack is in another transaction than the handler's writes")
def effect_before_ack() -> None:
    @contextmanager
    def completion(self: SqliteQueue, hold: Hold) -> Iterator[Write]:
        with self._session.write("transaction", joins=False, nests=True) as write:
            yield write
        time.sleep(0.05)  # so that a kill comes in between, however fast the handlers are
        self.ack(hold, None)

    SqliteQueue.completion = completion  # type: ignore[method-assign]


@fault("a claim takes one more than it gives, and marks it done")
def done_by_nobody() -> None:
    was = SqliteQueue.claim

    def claim(
        self: SqliteQueue, queues: Sequence[str], *, limit: int, **options: Any
    ) -> tuple[list[Leased], list[Hold]]:
        leases, refused = was(self, queues, limit=limit + 1, **options)
        if len(leases) > limit:
            self.ack(leases.pop().hold, None)
        return leases, refused

    SqliteQueue.claim = claim  # type: ignore[method-assign]


@fault("a claim is accepted for any delivery that is leased, whatever its fence and token")
def held_by_id_and_state() -> None:
    _claim_held("state = 'leased'")


@fault(
    "a claim is refused once its lease has expired, though nobody has claimed the delivery since"
)
def expired_refused() -> None:
    _claim_held("fence = :fence and token = :token and lease_until_ms > :now")


@fault("one more delivery of a queue is leased than its limit allows")
def one_beyond() -> None:
    for module, name in ((claim, "_PICK"), (claim_set, "_HEAD")):
        sql = vars(module)[name]
        vars(module)[name] = sql.replace("max_leased - leased", "max_leased - leased + 1")


@fault("the counters of a queue are not updated")
def uncounted() -> None:
    def moved(*args: Any) -> None:
        pass

    vars(counters)["moved"] = moved


@fault("an ack of unknown outcome is refused when it is repeated")
def repeat_refused() -> None:
    def settled_already(*args: Any) -> bool:
        return False

    vars(settle)["settled_already"] = settled_already


@fault("a fence is one more than the greatest one in use, so that fences come again")
def fences_reused() -> None:
    in_use = (
        "max(coalesce((select max(fence) from fp_delivery where state = 'leased'), 0),"
        " coalesce((select max(fence) from fp_lease where token is not null), 0))"
    )

    def next_fences(write: Write, count: int = 1) -> range:
        ((last,),) = write.run(f"select {in_use}")
        return range(last + 1, last + 1 + count)

    claim_set._HEAD = claim_set._HEAD.replace("last_fence", in_use, 1)
    for module in (claim, named, once):
        vars(module)["next_fences"] = next_fences
