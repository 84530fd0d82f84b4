"""All that can be held under a fence, and every verb that needs it to be held."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...store import Store
from ...store.errors import LeaseLost
from ...store.types.transaction import Transaction
from ..records.history import Pending, Recorder

VERBS = {
    "claim": ("ack", "ack many", "retry", "release", "bury", "renew", "transaction"),
    "lease": ("renew", "release", "transaction"),
    "once": ("complete", "release", "renew", "transaction"),
}

LEDGER = "create table ledger (what text)"

_NOTED_AS = {
    ("claim", "ack many"): "ack",
    ("claim", "transaction"): "complete",
    ("lease", "renew"): "keep",
    ("lease", "release"): "free",
    ("lease", "transaction"): "fenced",
}


@dataclass(frozen=True, slots=True)
class Holding:
    """A claim, a named lease or a key claimed once, and the verb it is there for."""

    kind: str
    verb: str
    place: str
    held: Any

    @property
    def name(self) -> str:
        return f"{self.kind} {self.verb} {self.place}"


def prepare(store: Store, place: str) -> None:
    """Enqueue what there is to be claimed at a place."""
    store.queue(place).enqueue_many(
        {"body": b"", "key": f"{place} {verb}"} for verb in VERBS["claim"]
    )


def claim(recorder: Recorder, store: Store, place: str, seconds: float) -> list[Holding]:
    """Claim what is to be had at a place."""
    with recorder.begin("claim", queue=place) as call:
        claims = store.queue(place).claim(limit=len(VERBS["claim"]), lease=seconds)
        noted = [{"id": each.id, "key": each.message.key, "fence": each.fence} for each in claims]
        call.ok(claims=[{**each, "lease_ms": round(seconds * 1000)} for each in noted])
    verbs = [str(each.message.key).removeprefix(f"{place} ") for each in claims]
    return [Holding("claim", verb, place, each) for verb, each in zip(verbs, claims, strict=True)]


def acquire(
    recorder: Recorder, store: Store, place: str, seconds: float, owner: str
) -> list[Holding]:
    """Acquire the named leases of a place.

    Raises:
        LeaseHeld: Somebody else has one.
    """
    found = []
    for verb in VERBS["lease"]:
        name = f"{place} {verb}"
        with recorder.begin("acquire", name=name, ttl_ms=round(seconds * 1000)) as call:
            lease = store.leases.acquire(name, ttl=seconds, owner=owner)
            call.ok(fence=lease.fence)
        found.append(Holding("lease", verb, place, lease))
    return found


def claim_keys(store: Store, place: str, seconds: float) -> list[Holding]:
    """Claim the keys of a place; what is not to be had is left out."""
    keys = [
        (verb, store.once("stress", f"{place} {verb}", lease=seconds)) for verb in VERBS["once"]
    ]
    return [Holding("once", verb, place, once) for verb, once in keys if once.claimed]


def use(
    recorder: Recorder, store: Store, holding: Holding, seconds: float, verb: str | None = None
) -> None:
    """Do what it is there for, or another verb; transactions write its name into the ledger.

    Raises:
        LeaseLost: It is not held.
    """
    verb = verb or holding.verb
    with _announced(recorder, holding, verb, round(seconds * 1000)):
        _act(store, holding, verb, seconds)


def _announced(recorder: Recorder, holding: Holding, verb: str, ms: int) -> Pending:
    op = _NOTED_AS.get((holding.kind, verb), verb)
    held = holding.held
    if holding.kind == "claim":
        what = {"id": held.id, "fence": held.fence, "key": held.message.key}
        return recorder.begin(op, lease_ms=ms, **what)
    if holding.kind == "lease":
        return recorder.begin(op, name=held.name, fence=held.fence, ttl_ms=ms)
    return recorder.begin(f"once {op}", key=held.key)


def _act(store: Store, holding: Holding, verb: str, seconds: float) -> None:
    def write(tx: Transaction) -> None:
        tx.execute("insert into ledger values (?)", (holding.name,))

    held = holding.held
    match holding.kind, verb:
        case _, "release":
            held.release()
        case _, "renew":
            held.renew(seconds)
        case _, "ack":
            held.ack()
        case _, "ack many":
            if store.queue(held.queue).ack_many([held]):
                raise LeaseLost(f"delivery {held.id}", cause="superseded", operation="ack")
        case _, "retry":
            held.retry(delay=0)
        case _, "bury":
            held.bury("it failed")
        case _, "complete":
            held.complete()
        case "claim", "transaction":
            with held.transaction() as tx:
                write(tx)
        case "lease", "transaction":
            with store.transaction(fence=held) as tx:
                write(tx)
        case "once", "transaction":
            with store.transaction() as tx:
                write(tx)
                held.complete()
