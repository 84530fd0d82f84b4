"""Faults in how messages are claimed together, and in how they end."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from ....store.engine import Hold, Leased
from ....store.engine.durable.joins import Apart
from ....store.errors import LeaseLost
from ....store.sqlite.queue import completion, counters, settle
from ....store.sqlite.queue.joins import apart, back, end, take, verbs, windows
from ....store.sqlite.queue.joins.end import GroupNote
from ....store.sqlite.queue.sets import claim as claim_set
from ....store.sqlite.session.write import Write
from ....store.types.messages.draft import Address
from ...harness.faults import fault

_ACK_BEHIND = """
update fp_delivery
set state = 'done', behind = 0, changed_at_ms = :now
where queue = :queue and lane = :lane and state = 'ready' and behind = 1 and due_at_ms is null
"""


@fault("an ack ends what has come for the key meanwhile, too")
def greedy_group() -> None:
    was = end.ack

    def ack(write: Write, hold: Hold, note: GroupNote, result: str | None) -> None:
        lane = {"queue": note.queue, "lane": note.lane, "now": write.now_ms}
        if more := write.change(_ACK_BEHIND, lane):
            counters.moved(write, note.queue, "ready", "done", 0, more)
        was(write, hold, note, result)

    vars(end)["ack"] = ack


@fault("what the handler says has failed is done like the others")
def forgiven_failure() -> None:
    was = apart.settle_apart

    def settle_apart(write: Write, hold: Hold, failed: Sequence[Apart], result: str | None) -> None:
        was(write, hold, (), result)

    vars(verbs)["settle_apart"] = settle_apart


@fault("the head of a lane takes along the newest of the others")
def newest_first() -> None:
    text = take._PICK.replace("order by id\n", "order by id desc\n")
    take._PICK = text.replace("order by picked", "order by picked desc")


@fault("a call has more messages than its handler takes")
def beyond_most() -> None:
    was = take.take_along

    def take_along(
        write: Write, heads: Sequence[Leased], *, room: int, most: int, **rest: Any
    ) -> list[Leased]:
        return was(write, heads, room=room, most=most + 3, **rest)

    vars(claim_set)["take_along"] = take_along


@fault("the head of a lane takes along what waits in other lanes")
def mixed_keys() -> None:
    take._PICK = take._PICK.replace("lane = (select lane from fp_delivery where id = :head)", "1")


@fault("the first message of a key does not wait for others")
def hasty_window() -> None:
    def begin(*args: Any) -> Counter[str]:
        return Counter()

    vars(windows)["begin"] = begin


@fault("each message begins the window of its key anew, with debounce and without")
def endless_window() -> None:
    was = windows.joined

    def joined(write: Write, address: Address, count: int = 1) -> None:
        if address.join is not None and address.join.bound_ms is None:
            join = replace(address.join, bound_ms=10 * address.join.window_ms)
            address = replace(address, join=join)
        was(write, address, count)

    vars(windows)["joined"] = joined


@fault("a call that fails as a whole is an attempt of each of its messages")
def counted_halving() -> None:
    for name in ("_HALVE", "_TAKE_BACK"):
        vars(back)[name] = vars(back)[name].replace("attempt = attempt - 1", "attempt = attempt")


@fault("the transaction of a call commits though others have its messages")
def unfenced_group() -> None:
    was = settle.ack

    def ack(write: Write, hold: Hold, result: str | None) -> None:
        with contextlib.suppress(LeaseLost):
            was(write, hold, result)

    def require_to_end(*args: Any) -> None:
        pass

    vars(completion)["ack"] = ack
    vars(back)["require_to_end"] = require_to_end
