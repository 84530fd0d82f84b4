"""Faults in named leases."""

from __future__ import annotations

from ....store.engine.leases import NameHold, Taken
from ....store.renewal import RenewedLease
from ....store.sqlite.leases import named_leases
from ....store.sqlite.leases.named_leases import SqliteLeases
from ....store.sqlite.session.write import Write
from ...harness.faults import fault


@fault("anyone who asks for a lease gets it, expired or not")
def lease_taken_live() -> None:
    named_leases._FIND = "select owner, fence, token, 0 from fp_lease where name = :name"
    named_leases._TAKE = named_leases._TAKE.partition("where token is null")[0]


@fault("a holder believes in its lease until the store refuses it, even past its end")
def lost_unnoticed() -> None:
    RenewedLease.lost = property(lambda self: self.refused)  # type: ignore[method-assign,assignment]


@fault("fences are counted from the leases that exist, and a release deletes one")
def fences_restart() -> None:
    was = SqliteLeases.release

    def release(self: SqliteLeases, hold: NameHold) -> None:
        was(self, hold)
        with self._session.write("release") as write:
            write.run("delete from fp_lease where name = :name", {"name": hold.name})

    def next_fences(write: Write, count: int = 1) -> range:
        ((last,),) = write.run("select coalesce(max(fence), 0) from fp_lease")
        return range(last + 1, last + count + 1)

    SqliteLeases.release = release  # type: ignore[method-assign]
    named_leases.next_fences = next_fences  # type: ignore[attr-defined]


@fault("a lease lasts three times as long as its holder was told")
def lease_outlives() -> None:
    was = SqliteLeases.acquire

    def acquire(self: SqliteLeases, name: str, *, owner: str, token: str, ttl_ms: int) -> Taken:
        return was(self, name, owner=owner, token=token, ttl_ms=3 * ttl_ms)

    SqliteLeases.acquire = acquire  # type: ignore[method-assign]


@fault("a transaction under a lease does not check that the lease is held")
def transaction_unfenced() -> None:
    named_leases._REQUIRE = "select 1 from fp_lease where name = :name"


@fault("a lease cannot be renewed in its last 100 ms")
def renewal_refused_early() -> None:
    early = "expires_at_ms > :now + 100"
    named_leases._RENEW = named_leases._RENEW.replace("expires_at_ms > :now", early)


@fault("a named lease is checked by its owner's name, not by fence and token")
def lease_by_owner() -> None:
    owners: dict[str, str] = {}
    was, bind = SqliteLeases.acquire, named_leases._bind

    def acquire(self: SqliteLeases, name: str, *, owner: str, token: str, ttl_ms: int) -> Taken:
        owners[token] = owner
        return was(self, name, owner=owner, token=token, ttl_ms=ttl_ms)

    def _bind(hold: NameHold, now_ms: int, **others: object) -> dict[str, object]:
        return bind(hold, now_ms, **{"owner": owners[hold.token], **others})

    SqliteLeases.acquire = acquire  # type: ignore[method-assign]
    named_leases._bind = _bind
    for statement in ("_RENEW", "_REQUIRE", "_RELEASE"):
        by_token = vars(named_leases)[statement]
        by_owner = by_token.replace("fence = :fence and token = :token", "owner = :owner")
        vars(named_leases)[statement] = by_owner
