"""Leasing ready deliveries: oldest first within a priority, fenced, in one transaction."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence

from ..engine import Hold, Leased
from ..message import Message
from .door import Write
from .fences import next_fences
from .lease import bind
from .reap import promote_due, reap_expired

# fp_delivery_ready in its own order: of the ready rows one more is looked at than is taken.
_PICK = """
select id, message_id
from fp_delivery
where queue = :queue and state = 'ready' and due_at_ms is null and held = 0
order by priority desc, id
limit :limit
"""

_LEASE = """
update fp_delivery
set state = 'leased', fence = :fence, token = :token, settled_token = null, owner = :owner,
    attempt = attempt + 1, max_attempts = coalesce(:max_attempts, max_attempts),
    lease_until_ms = :until, changed_at_ms = :now
where id = :id
returning attempt
"""

_MESSAGE = """
select id, source, key, event, headers, body, received_at_ms
from fp_message
where id = :id
"""


def claim(
    write: Write,
    queues: Sequence[str],
    *,
    limit: int,
    lease_ms: int,
    owner: int | None,
    max_attempts: Mapping[str, int],
) -> tuple[list[Leased], bool]:
    """Lease at most `limit` deliveries, the queues asked in the order given; is there more?"""
    reap_expired(write)
    promote_due(write)
    picked: list[tuple[str, int, int]] = []
    for queue in queues:
        if len(picked) > limit:
            break
        rows = write.run(_PICK, {"queue": queue, "limit": limit + 1 - len(picked)})
        picked += [(queue, id, message) for id, message in rows]
    more = len(picked) > limit
    del picked[limit:]
    if not picked:
        return [], False
    fences = next_fences(write, len(picked))
    until = write.now_ms + lease_ms
    leases = []
    for fence, (queue, id, message) in zip(fences, picked, strict=True):
        hold = Hold(id, fence, secrets.token_hex(16))
        limits = {"owner": owner, "until": until, "max_attempts": max_attempts.get(queue)}
        ((attempt,),) = write.run(_LEASE, bind(hold, now=write.now_ms, **limits))
        leases.append(Leased(hold, queue, _message(write, message), attempt, until))
    return leases, more


def _message(write: Write, id: int) -> Message:
    ((number, source, key, event, headers, body, received),) = write.run(_MESSAGE, {"id": id})
    return Message(
        id=number,
        source=source,
        key=key,
        event=event,
        headers=json.loads(headers),
        body=body or b"",
        received_at=received / 1000,
    )
