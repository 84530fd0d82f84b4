"""Claims of keys: held under a lease, then done with a result.

A claim holds until somebody else has claimed the key, also past its expiry: work that
took too long and was not repeated yet is done all the same.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...engine.leases import Displaced
from ...engine.once import Claimed, Completed, InWork, KeyHold
from ...engine.ports.clock import Term
from ...errors import KeyConflict, LeaseLost
from ...rules import lease_loss
from ...rules.retention import KEEP_EXPIRED_MS
from ..fences import next_fences
from ..file.space import ROW_BYTES, again_when_full
from ..session.damage import tells
from ..session.session import Session, Write

_FIND = """
-- Damaged text cannot be read as text.
select state, holder, fence, token, payload_sha256, cast(result as blob), expires_at_ms
from fp_once
where namespace = :namespace and key = :key
"""

_CLAIM = """
insert into fp_once (
  namespace, key, state, holder, fence, token, payload_sha256, claimed_at_ms, expires_at_ms
)
values (:namespace, :key, 'claimed', :holder, :fence, :token, :payload, :now, :until)
on conflict (namespace, key) do update
set state = excluded.state, holder = excluded.holder, fence = excluded.fence,
    token = excluded.token, payload_sha256 = excluded.payload_sha256, result = null,
    claimed_at_ms = excluded.claimed_at_ms, expires_at_ms = excluded.expires_at_ms,
    settled_token = case state when 'done' then null else settled_token end
where expires_at_ms <= :now or state = 'released' or token = :token
"""

HOLDING = "namespace = :namespace and key = :key and fence = :fence and token = :token"

_RENEW = f"""
update fp_once
set expires_at_ms = max(expires_at_ms, :until)
where {HOLDING} and expires_at_ms > :now
returning expires_at_ms
"""

_COMPLETE = f"""
update fp_once
set state = 'done', token = null, settled_token = :token, result = :result,
    expires_at_ms = :until
where {HOLDING}
returning 1
"""

_RELEASE = f"""
update fp_once
set state = 'released', token = null, settled_token = :token, expires_at_ms = :now
where {HOLDING}
returning 1
"""

_LOOK = """
select state, fence, token, settled_token
from fp_once
where namespace = :namespace and key = :key
"""

_SWEEP = """
delete from fp_once
where id in (
  select id
  from fp_once
  where expires_at_ms <= :now and (state = 'done' or expires_at_ms <= :before)
  order by expires_at_ms
  limit :limit
)
"""


@tells
class SqliteOnce:
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
        # A fence must not be known to anybody before the COMMIT that makes it true.
        with self._session.write("once", joins=False, grows=ROW_BYTES * len(keys)) as write:
            standing = _standing(write, namespace, keys, token, payload_sha256)
            if isinstance(standing, Completed | InWork):
                return standing
            (fence,) = next_fences(write)
            hold = KeyHold(namespace, tuple(keys), fence, token)
            until = write.now_ms + lease_ms
            for key in keys:
                named = {"holder": holder, "payload": payload_sha256, "until": until}
                write.must(_CLAIM, _bind(hold, key, now=write.now_ms, **named))
            return Claimed(hold, Term(until, lease_ms), standing)

    @again_when_full
    def renew(self, hold: KeyHold, lease_ms: int) -> Term:
        # Nobody may believe in an expiry that a surrounding transaction rolls back.
        with self._session.write("renew", joins=False) as write:
            until = write.now_ms + lease_ms
            for key in hold.keys:
                rows = write.run(_RENEW, _bind(hold, key, now=write.now_ms, until=until))
                if not rows:
                    raise _lost(write, hold, key, "renew")
            return Term(rows[0][0], rows[0][0] - write.now_ms)  # all have the same

    @again_when_full
    def complete(self, hold: KeyHold, result: str | None, keep_ms: int) -> None:
        with self._session.write("complete") as write:
            until = write.now_ms + keep_ms
            for key in hold.keys:
                if not write.run(_COMPLETE, _bind(hold, key, result=result, until=until)):
                    _require_settled(write, hold, key, "complete", done=True)

    @again_when_full
    def release(self, hold: KeyHold) -> None:
        with self._session.write("release") as write:
            for key in hold.keys:
                if not write.run(_RELEASE, _bind(hold, key, now=write.now_ms)):
                    _require_settled(write, hold, key, "release", done=False)


def sweep(write: Write, limit: int) -> int:
    """Remove at most `limit` keys whose memory has ended; return how many.

    That of one which was not completed ends a day after its lease.
    """
    before = write.now_ms - KEEP_EXPIRED_MS
    return write.change(_SWEEP, {"now": write.now_ms, "before": before, "limit": limit})


def _standing(
    write: Write, namespace: str, keys: Sequence[str], token: str, payload: bytes | None
) -> Completed | InWork | Displaced | None:
    """Return what keeps the keys from being claimed, or else whose lapsed claim they were."""
    completed = in_work = displaced = None
    for key in keys:
        for state, holder, fence, known, sha256, result, expires in write.run(
            _FIND, {"namespace": namespace, "key": key}
        ):
            # What was released is free, also when a reboot has set the clock back.
            if expires > write.now_ms and known != token and state != "released":
                if None not in (payload, sha256) and payload != sha256:
                    raise KeyConflict(
                        f"key {key!r} of {namespace} was claimed with another payload",
                        operation="once",
                        path=write.path,
                    )
                if state == "done":
                    completed = completed or Completed(result)
                else:
                    in_work = in_work or InWork(holder, expires, write.now_ms)
            elif state == "claimed" and known != token:
                displaced = displaced or Displaced(holder, fence, expires / 1000)
    return completed or in_work or displaced


def _bind(hold: KeyHold, key: str, **others: object) -> dict[str, object]:
    return {
        "namespace": hold.namespace,
        "key": key,
        "fence": hold.fence,
        "token": hold.token,
        **others,
    }


def _require_settled(write: Write, hold: KeyHold, key: str, operation: str, *, done: bool) -> None:
    """Raise LeaseLost unless this very claim has already brought the key to this end."""
    rows = write.run(_LOOK, {"namespace": hold.namespace, "key": key})
    if not rows or rows[0][3] != hold.token or (rows[0][0] == "done") != done:
        raise _lost(write, hold, key, operation)


def _lost(write: Write, hold: KeyHold, key: str, operation: str) -> LeaseLost:
    found = next(iter(write.run(_LOOK, {"namespace": hold.namespace, "key": key})), None)
    cause = lease_loss.key(fence=hold.fence, token=hold.token, found=found)
    what = f"key {key!r} of {hold.namespace}"
    return LeaseLost(
        what, cause=cause, operation=operation, path=write.path, store_id=write.store_id
    )
