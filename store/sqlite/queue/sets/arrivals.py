"""The rows of new messages: their bodies, their deliveries, and what they bring to their queues."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from ....types.messages.draft import Address
from ....types.messages.receipt import Receipt
from ....types.messages.state import State
from ...session.session import Write
from .. import counters
from ..joins import windows
from ..payload import Prepared
from . import lanes
from .odd import OddSet
from .rows import Insert

_MESSAGES = Insert(
    "fp_message",
    (
        "scope",
        "source",
        "key",
        "event",
        "headers",
        "body_sha256",
        "plain_sha256",
        "received_at_ms",
        "keep_ms",
        "keep_body_ms",
        "unrouted",
        "expires_at_ms",
    ),
    "on conflict do nothing",
)

_BODIES = Insert("fp_body", ("message_id", "body", "compressed"))

_DELIVERIES = Insert(
    "fp_delivery",
    (
        "message_id",
        "queue",
        "lane",
        "lane_policy",
        "behind",
        "priority",
        "state",
        "due_at_ms",
        "max_attempts",
        "retry_for_ms",
        "tried_since_ms",
        "at_most_once",
        "bytes",
        "changed_at_ms",
        "window_ms",
    ),
)

# Of several messages whose deliveries differ in the message alone.
_DELIVER_ALIKE = """
insert into fp_delivery (
  message_id, queue, lane_policy, priority, state, due_at_ms, max_attempts, retry_for_ms,
  tried_since_ms, at_most_once, bytes, changed_at_ms
)
select
  message_id, :queue, :policy, :priority, 'ready', :due, :max_attempts, :retry_for, :now, :once,
  length(body), :now
from fp_body
where message_id between :first and :last
order by message_id
"""


class Arrivals:
    """The rows of new messages, and what they bring to their queues.

    Attributes:
        odd: Two of them have one key, or one is dead from the start.
    """

    def __init__(self, now_ms: int, batch: Sequence[Prepared]) -> None:
        self._batch = batch
        self._address = _common_address(batch)
        self._queues: dict[str, list[int]] = {}  # deliveries, scheduled ones, bytes
        self.odd = False
        if (address := self._address) is not None:
            bytes = sum([len(each.body) for each in batch])
            self._queues[address.queue] = [len(batch), address.delay_ms and len(batch), bytes]
        else:
            self._add_up()
        self._messages: list[Any] = []
        keys: set[tuple[str, str]] = set()
        keyed = 0
        for each in batch:
            draft = each.draft
            if draft.key is not None:
                keyed += 1
                keys.add((draft.scope, draft.key))
            unrouted = not draft.addresses
            self._messages += (
                draft.scope,
                draft.source,
                draft.key,
                draft.event,
                each.headers,
                each.sha256,
                each.plain_sha256,
                now_ms,
                draft.keep_ms,
                draft.keep_body_ms,
                int(unrouted),
                now_ms + draft.keep_ms if unrouted else None,
            )
        self.odd |= len(keys) < keyed

    def _add_up(self) -> None:
        for each in self._batch:
            for address in each.draft.addresses:
                if (sums := self._queues.get(address.queue)) is None:
                    sums = self._queues[address.queue] = [0, 0, 0]
                sums[0] += 1
                sums[1] += address.delay_ms > 0
                sums[2] += len(each.draft.body)
                self.odd |= address.refused is not None

    def have_room(self, write: Write) -> bool:
        """Return whether no queue is over a cap with all of them."""
        return all(
            counters.have_room(write, queue, count, bytes)
            for queue, (count, _, bytes) in self._queues.items()
        )

    def store(self, write: Write) -> list[Receipt]:
        """Insert them.

        Raises:
            OddSet: A key is known.
        """
        batch = self._batch
        if _MESSAGES.run(write, self._messages) != len(batch):
            raise OddSet
        # One transaction writes, and AUTOINCREMENT counts on by one from row to row.
        first = write.last_id - len(batch) + 1
        bodies, receipts = list[Any](), list[Receipt]()
        for id, each in enumerate(batch, first):
            bodies += (id, each.body, each.compressed)
            state: State | None = "ready" if each.draft.addresses else None
            # All are given: a default takes as long as a field.
            receipts.append(Receipt("accepted", id, state, None, None, None))
        _BODIES.run(write, bodies)
        if self._address is not None and len(batch) == 1:
            row = _row(first, self._address, len(batch[0].body), write.now_ms)
            _DELIVERIES.run(write, row)
        elif self._address is not None:
            _deliver_alike(write, self._address, first, len(batch))
        elif self._queues:
            for queue, waiting in _deliver(write, batch, first).items():
                self._queues[queue][1] += waiting
        write.wakes |= bool(self._queues)
        return receipts

    def count(self, write: Write) -> None:
        """Count them in."""
        for queue, (count, scheduled, bytes) in self._queues.items():
            counters.arrived(write, queue, "ready", bytes, count=count, scheduled=scheduled)

    def count_within_caps(self, write: Write) -> None:
        """Count them in.

        Raises:
            OddSet: A queue has no room for all of them.
        """
        for queue, sums in self._queues.items():
            if not counters.arrived_with_room(write, queue, *sums):
                raise OddSet


def _common_address(batch: Sequence[Prepared]) -> Address | None:
    """Return where all of them go, when that is one delivery each, without a lane, and bodies
    are stored as they came."""
    addresses = batch[0].draft.addresses if batch else ()
    if len(addresses) != 1 or addresses[0].lane is not None or addresses[0].refused is not None:
        return None
    for each in batch:
        if each.compressed or each.draft.addresses != addresses:
            return None
    return addresses[0]


def _deliver_alike(write: Write, address: Address, first: int, count: int) -> None:
    alike = {
        "first": first,
        "last": first + count - 1,
        "queue": address.queue,
        "policy": address.lane_policy,
        "priority": address.priority,
        "due": write.now_ms + address.delay_ms if address.delay_ms else None,
        "max_attempts": address.max_attempts,
        "retry_for": address.retry_for_ms,
        "once": int(address.at_most_once),
        "now": write.now_ms,
    }
    write.must(_DELIVER_ALIKE, alike, change=count)


def _deliver(write: Write, batch: Sequence[Prepared], first: int) -> Mapping[str, int]:
    """Insert the deliveries; return of which queues more wait for their time than were asked to."""
    rows, now = list[list[Any]](), write.now_ms
    for id, each in enumerate(batch, first):
        bytes = len(each.draft.body)
        rows += [_row(id, address, bytes, now) for address in each.draft.addresses]
    lanes.join(write, rows)
    waiting: dict[str, int] = {}
    joining: dict[tuple[str, str], list[Address]] = {}
    for each in batch:
        for address in each.draft.addresses:
            if address.join is not None and address.lane is not None:
                joining.setdefault((address.queue, address.lane), []).append(address)
    if joining:
        waiting = windows.begin(rows, now)
    _DELIVERIES.run(write, list(chain.from_iterable(rows)))
    for these in joining.values():
        windows.joined(write, these[-1], len(these))
    return waiting


def _row(message: int, address: Address, bytes: int, now: int) -> list[Any]:
    return [
        message,
        address.queue,
        address.lane,
        address.lane_policy,
        0,
        address.priority,
        "ready",
        now + address.delay_ms if address.delay_ms else None,
        address.max_attempts,
        address.retry_for_ms,
        now,
        int(address.at_most_once),
        bytes,
        now,
        None if address.join is None or address.lane is None else address.join.window_ms,
    ]
