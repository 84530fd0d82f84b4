"""Two-phase claims of keys in plain Python: in work under a lease, then done.

A claim holds until another has claimed the key, also past its expiry.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..engine.leases import Displaced
from ..engine.once import Claimed, Completed, InWork, KeyHold
from ..engine.ports.clock import Term
from ..errors import KeyConflict
from .memory import Session, Write
from .rows import KeyRow

_KEPT_MS = 86_400_000

Standing = Completed | InWork | Displaced | None


class PlainOnce:
    """See fencepost.store.engine.once.OnceVerbs; the methods stand in its order."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def claim(
        self,
        namespace: str,
        keys: Sequence[str],
        *,
        holder: str,
        token: str,
        lease_ms: int,
        payload_sha256: bytes | None,
    ) -> Claimed | InWork | Completed:
        with self._session.write("once", joins=False) as write:
            standing = _standing(write, namespace, keys, token, payload_sha256)
            if isinstance(standing, Completed | InWork):
                return standing
            hold = KeyHold(namespace, tuple(keys), write.fence(f"key {keys[0]}"), token)
            until = write.now + lease_ms
            for key in keys:
                before = write.tables.once.get((namespace, key))
                # A release stays known until another claim of the key has come to its end.
                settled = None if before is None or before.state == "done" else before.settled
                write.tables.once[namespace, key] = KeyRow(
                    "claimed", holder, hold.fence, token, settled, payload_sha256, until
                )
            return Claimed(hold, Term(until, lease_ms), standing)

    def renew(self, hold: KeyHold, lease_ms: int) -> Term:
        with self._session.write("renew", joins=False) as write:
            until = write.now + lease_ms
            for key in hold.keys:
                row = write.tables.once.get((hold.namespace, key))
                if row is None or not _is_held(row, hold) or row.until_ms <= write.now:
                    raise _lost(write, hold, key, "renew")
                until = max(row.until_ms, until)
                write.tables.once[hold.namespace, key] = row._replace(until_ms=until)
            return Term(until, until - write.now)

    def complete(self, hold: KeyHold, result: str | None, keep_ms: int) -> None:
        with self._session.write("complete") as write:
            _settle(write, hold, "complete", "done", write.now + keep_ms, result)

    def release(self, hold: KeyHold) -> None:
        with self._session.write("release") as write:
            _settle(write, hold, "release", "released", write.now, None)


def sweep(write: Write) -> int:
    """Forget the keys whose time is over; one that was not completed, a day after its lease."""
    over = [
        at
        for at, row in write.tables.once.items()
        if row.until_ms <= write.now - (0 if row.state == "done" else _KEPT_MS)
    ]
    for at in over:
        del write.tables.once[at]
    return len(over)


def _standing(
    write: Write, namespace: str, keys: Sequence[str], token: str, payload: bytes | None
) -> Standing:
    """Return what keeps the keys from being claimed, or else whose lapsed claim they were."""
    completed = in_work = displaced = None
    for key in keys:
        row = write.tables.once.get((namespace, key))
        if row is None or row.token == token:
            continue
        if row.until_ms > write.now and row.state != "released":
            if None not in (payload, row.payload_sha256) and payload != row.payload_sha256:
                raise KeyConflict(
                    f"key {key!r} of {namespace} was claimed with another payload",
                    operation="once",
                    path=write.session.address,
                )
            if row.state == "done":
                result = None if row.result is None else row.result.encode()
                completed = completed or Completed(result)
            else:
                in_work = in_work or InWork(row.holder, row.until_ms, write.now)
        elif row.state == "claimed":
            displaced = displaced or Displaced(row.holder, row.fence, row.until_ms / 1000)
    return completed or in_work or displaced


def _settle(
    write: Write, hold: KeyHold, operation: str, state: str, until: int, result: str | None
) -> None:
    """Bring the keys of a claim to an end; what it has brought there already stays."""
    for key in hold.keys:
        row = write.tables.once.get((hold.namespace, key))
        if row is not None and _is_held(row, hold):
            ended: dict[str, Any] = {
                "state": state,
                "token": None,
                "settled": hold.token,
                "until_ms": until,
            }
            write.tables.once[hold.namespace, key] = row._replace(**ended, result=result)
        elif row is None or row.settled != hold.token or (row.state == "done") != (state == "done"):
            raise _lost(write, hold, key, operation)


def _is_held(row: KeyRow, hold: KeyHold) -> bool:
    return (row.fence, row.token) == (hold.fence, hold.token)


def _lost(write: Write, hold: KeyHold, key: str, operation: str) -> Exception:
    row = write.tables.once.get((hold.namespace, key))
    if row is None:
        cause = "missing"
    elif row.settled == hold.token and row.state == "done":
        cause = "settled"
    elif row.settled == hold.token and row.state == "released":
        cause = "released"
    elif _is_held(row, hold):
        cause = "expired"
    else:
        cause = "superseded"
    return write.lost(f"key {key!r} of {hold.namespace}", cause, operation)
