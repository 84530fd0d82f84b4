"""Faults in who is refused, and in how those wait whom a stopped writer keeps out."""

from __future__ import annotations

from ...store.engine.leases import NameHold, Taken
from ...store.sqlite.locks import gate
from ...store.sqlite.locks.gate import Gate
from ...store.sqlite.names import leases
from ...store.sqlite.names.leases import SqliteLeases
from ...store.sqlite.queue import holding, settle
from ..harness.canary import Canary

_FENCED = {
    holding: ("_HOLDING", "_HOLDING_OR_DEAD"),
    settle: ("_ACK", "_RETRY", "_RELEASE", "_BURY", "_RENEW"),
}


def claim_held(predicate: str) -> None:
    """Have every statement that looks at a claim, or ends it, ask for this in place of its proof."""
    for module, names in _FENCED.items():
        for name in names:
            sql = vars(module)[name]
            vars(module)[name] = sql.replace("fence = :fence and token = :token", predicate)


def _id_and_state() -> None:
    claim_held("true")


def _refuses_expired() -> None:
    claim_held("fence = :fence and token = :token and lease_until_ms > :now")


def _by_owner() -> None:
    owners: dict[str, str] = {}
    was, bind = SqliteLeases.acquire, leases._bind

    def acquire(self: SqliteLeases, name: str, *, owner: str, token: str, ttl_ms: int) -> Taken:
        owners[token] = owner
        return was(self, name, owner=owner, token=token, ttl_ms=ttl_ms)

    def _bind(hold: NameHold, now_ms: int, **others: object) -> dict[str, object]:
        return bind(hold, now_ms, **{"owner": owners[hold.token], **others})

    SqliteLeases.acquire = acquire  # type: ignore[method-assign]
    leases._bind = _bind
    for statement in ("_RENEW", "_REQUIRE", "_RELEASE"):
        by_token = vars(leases)[statement]
        by_owner = by_token.replace("fence = :fence and token = :token", "owner = :owner")
        vars(leases)[statement] = by_owner


def _waits_longer() -> None:
    was = Gate.enter

    def enter(self: Gate, deadline: float) -> bool:
        return was(self, deadline + 2.0)

    Gate.enter = enter  # type: ignore[method-assign]


def _stays_in_line() -> None:
    gate._STUCK_SECONDS = 60.0


CANARIES = (
    Canary(
        "ack-by-id-and-state",
        "a claim is taken to hold while its delivery is in hand, by whomever",
        scenario="zombie",
        trips="stale-refused",
        plant=_id_and_state,
    ),
    Canary(
        "lease-by-owner",
        "a named lease is known by its owner's name in place of fence and token",
        scenario="zombie",
        trips="stale-refused",
        plant=_by_owner,
    ),
    Canary(
        "expired-refused",
        "a claim is over when its lease is, though nobody has claimed the delivery since",
        scenario="zombie",
        trips="holder-not-refused",
        plant=_refuses_expired,
    ),
    Canary(
        "busy-late",
        "StoreBusy comes two seconds after the stated wait",
        scenario="zombie",
        trips="busy-in-time",
        plant=_waits_longer,
    ),
    Canary(
        "line-stuck",
        "nobody goes past a writer that is first in line and was stopped",
        scenario="zombie",
        trips="waits-bounded",
        plant=_stays_in_line,
    ),
)
