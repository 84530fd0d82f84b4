"""The deliveries of a new message: one per handler."""

from __future__ import annotations

from collections.abc import Sequence

from ....rules.lanes import stands_aside
from ....types.messages.draft import Address
from ...session.session import Write
from .. import counters, lanes
from ..joins import windows
from ..transitions import end_message

_INSERT_DELIVERY = """
insert into fp_delivery (
  message_id, queue, lane, lane_policy, behind, priority, state, due_at_ms, max_attempts,
  retry_for_ms, tried_since_ms, at_most_once, error, bytes, changed_at_ms, window_ms
)
values (
  :message, :queue, :lane, :policy, :behind, :priority, :state, :due, :max_attempts,
  :retry_for, :now, :once, :error, :bytes, :now, :window
)
"""


def require_room(write: Write, addresses: Sequence[Address], bytes: int) -> None:
    """Raise unless each queue has room for one more; what is dead from the start needs none.

    Raises:
        QueueFull, LimitExceeded: One of them has none; nothing was changed.
    """
    for address in addresses:
        if address.refused is None:
            counters.require_room(write, address.queue, bytes)


def deliver(write: Write, message: int, addresses: Sequence[Address], bytes: int) -> None:
    """Make a message's deliveries; there must be one at least."""
    for address in addresses:
        _insert(write, message, address, bytes)
    if all(address.refused is not None for address in addresses):
        end_message(write, message)


def _insert(write: Write, message: int, address: Address, bytes: int) -> None:
    state = "ready" if address.refused is None else "dead"
    due = write.now_ms + address.delay_ms if address.delay_ms else None
    aside = stands_aside(address.lane, address.lane_policy, due)
    behind = (
        address.lane is not None
        and address.refused is None
        and lanes.is_behind(write, address.queue, address.lane, stands_aside=aside)
    )
    window = None if address.join is None or address.lane is None else address.join.window_ms
    if window and not behind and state == "ready":
        due = write.now_ms + window
    write.run(
        _INSERT_DELIVERY,
        {
            "message": message,
            "queue": address.queue,
            "lane": address.lane,
            "policy": address.lane_policy,
            "behind": int(behind),
            "priority": address.priority,
            "state": state,
            "due": due,
            "max_attempts": address.max_attempts,
            "retry_for": address.retry_for_ms,
            "once": int(address.at_most_once),
            "error": address.refused,
            "bytes": bytes,
            "now": write.now_ms,
            "window": window,
        },
    )
    delivery = write.last_id
    waits = state == "ready" and due is not None
    counters.arrived(write, address.queue, state, bytes, scheduled=int(waits))
    write.wakes |= state == "ready"
    if window is not None:
        windows.joined(write, address)
    if state == "dead":
        from ..deaths import died  # which makes a message for the app, with this

        died(write, delivery)
