"""Messages that are kept for routes that are off: their rows, and what becomes of their message.

Such a message has `unrouted = -1` in fp_message, beside the deliveries that it may have for
other routes: it is not forgotten, and its body stays.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence

from ...types.messages.draft import Address
from ..session.session import Write

_OFF = "select queue from fp_route"

_KEEP = """
insert into fp_unrouted (queue, message_id)
select value, :message
from json_each(:queues)
where true
on conflict do nothing
"""

_MARK = "update fp_message set unrouted = -1, expires_at_ms = null where id = :message"

_TAKE = "delete from fp_unrouted where queue = :queue and message_id = :message"

# The last one that is kept for its message: there are few routes to ask.
_ROUTED = """
update fp_message
set unrouted = 0
where id = :message and not exists (
  select 1
  from fp_route
  cross join fp_unrouted on fp_unrouted.queue = fp_route.queue and message_id = :message
)
"""

_DRAINED = """
delete from fp_route
where queue = :queue and state = 'draining'
  and not exists (select 1 from fp_unrouted where queue = :queue)
"""


def off(write: Write) -> Collection[str]:
    """Return the queues for which messages are kept now, those included that are drained."""
    return {queue for (queue,) in write.run(_OFF)}


def parted(
    addresses: Iterable[Address], off: Collection[str]
) -> tuple[list[Address], Sequence[str]]:
    """Return the addresses that are delivered to, and the queues for which a message is kept."""
    on, kept = list[Address](), list[str]()
    for address in addresses:
        if address.queue in off:
            kept.append(address.queue)
        else:
            on.append(address)
    return on, kept


def keep(write: Write, message: int, queues: Sequence[str]) -> None:
    """Keep a message for queues whose routes are off."""
    write.run(_KEEP, {"message": message, "queues": json.dumps(queues)})
    write.must(_MARK, {"message": message})


def take(write: Write, message: int, queue: str) -> bool:
    """Keep a message no longer for a queue; False if it was not.

    If it is kept for no other, it is as one that was routed.
    """
    if not write.change(_TAKE, {"queue": queue, "message": message}):
        return False
    write.run(_ROUTED, {"message": message})
    return True


def drained(write: Write, queue: str) -> bool:
    """Turn a route on whose last message was taken; return whether it is on by that."""
    return bool(write.change(_DRAINED, {"queue": queue}))
