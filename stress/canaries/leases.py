"""Faults in named leases."""

from __future__ import annotations

from ...store.engine.leases import NameHold, Taken
from ...store.renewal import RenewedLease
from ...store.sqlite.names import leases
from ...store.sqlite.names.leases import SqliteLeases
from ...store.sqlite.session.write import Write
from ..harness.canary import Canary


def _takes_live() -> None:
    leases._FIND = "select owner, fence, token, 0 from fp_lease where name = :name"
    leases._TAKE = leases._TAKE.partition("where token is null")[0]


def _fences_restart() -> None:
    was = SqliteLeases.release

    def release(self: SqliteLeases, hold: NameHold) -> None:
        was(self, hold)
        with self._session.write("release") as write:
            write.run("delete from fp_lease where name = :name", {"name": hold.name})

    def next_fences(write: Write, count: int = 1) -> range:
        ((last,),) = write.run("select coalesce(max(fence), 0) from fp_lease")
        return range(last + 1, last + count + 1)

    SqliteLeases.release = release  # type: ignore[method-assign]
    leases.next_fences = next_fences  # type: ignore[attr-defined]


def _row_outlives() -> None:
    was = SqliteLeases.acquire

    def acquire(self: SqliteLeases, name: str, *, owner: str, token: str, ttl_ms: int) -> Taken:
        return was(self, name, owner=owner, token=token, ttl_ms=3 * ttl_ms)

    SqliteLeases.acquire = acquire  # type: ignore[method-assign]


def _unfenced() -> None:
    leases._REQUIRE = "select 1 from fp_lease where name = :name"


def _refused_early() -> None:
    early = "expires_at_ms > :now + 100"
    leases._RENEW = leases._RENEW.replace("expires_at_ms > :now", early)


def _believes() -> None:
    RenewedLease.lost = property(lambda self: self.refused)  # type: ignore[method-assign,assignment]


CANARIES = (
    Canary(
        "lease-taken-live",
        "whoever asks for a lease gets it, expired or not",
        scenario="leases",
        trips="one-holder",
        plant=_takes_live,
    ),
    Canary(
        "lost-unnoticed",
        "a holder goes on to believe in a lease until the store refuses it",
        scenario="leases",
        trips="one-holder",
        plant=_believes,
    ),
    Canary(
        "fences-restart",
        "fences are counted from the leases that are there, and a release forgets one",
        scenario="leases",
        trips="fences-rise",
        plant=_fences_restart,
    ),
    Canary(
        "lease-outlives",
        "a lease lasts three times as long as its holder was told",
        scenario="leases",
        trips="holder-knows",
        plant=_row_outlives,
    ),
    Canary(
        "transaction-unfenced",
        "a transaction under a lease does not look whether that is still held",
        scenario="leases",
        trips="stale-refused",
        plant=_unfenced,
    ),
    Canary(
        "renewal-refused-early",
        "a lease cannot be renewed in its last 100 ms",
        scenario="leases",
        trips="holder-not-refused",
        plant=_refused_early,
    ),
)
