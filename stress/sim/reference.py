"""What the store has to answer: the reference engine, called as the store was.

It is told the numbers that the store has given out, and the moment at which it did.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from ...store.engine import Hold
from ...store.engine.keyed import Item, Options, Space
from ...store.engine.leases import NameHold
from ...store.engine.once import Claimed, InWork, KeyHold
from ...store.reference.engine import PlainEngine
from ...store.reference.memory import Memory
from ...store.reference.rows import DeliveryRow, KeyRow, LeaseRow
from ...store.reference.tables import Tables
from ...store.types.keyed.entry import Entry, Overflow
from ...store.types.messages.draft import Draft
from .numbers import Told
from .verdict import Broken

NAMESPACE = "sim"


class Moment:
    """A clock that stands where it is put."""

    def __init__(self) -> None:
        self.now = 0
        self.boots = 0

    def boot_ms(self) -> int:
        return self.now

    def boot_id(self) -> str:
        return f"boot {self.boots}"

    def wall_ms(self) -> int:
        return self.now


class Grant(NamedTuple):
    """A claim as the store has answered it."""

    message: int
    hold: Hold
    body: bytes
    attempt: int
    until_ms: int


class Reference:
    """A store as it has to be.

    Attributes:
        effects: How often each handler's write has to be there.
        over: Fences of leases and claims that have ended otherwise than by time.
    """

    def __init__(self) -> None:
        self.clock = Moment()
        self.numbers = Told()
        self.engine = PlainEngine(self.clock, Memory(self.numbers))
        self.effects: Counter[str] = Counter()
        self.over: set[int] = set()

    @property
    def tables(self) -> Tables:
        """All that the store holds."""
        return self.engine.session.memory.tables

    def fork(self) -> Reference:
        """Return another one that stands as this does."""
        other = Reference()
        other.clock.now, other.clock.boots = self.clock.now, self.clock.boots
        other.engine.session.memory.boot_id = self.clock.boot_id()
        other.engine.session.memory.offset_ms = 0
        other.engine.session.memory.tables = self.tables.copy()
        other.effects, other.over = Counter(self.effects), set(self.over)
        return other

    def reboot(self) -> None:
        """End all leases."""
        self.clock.boots += 1
        self.engine.session.memory.begin_boot(self.clock, self.clock.now)

    def moments(self) -> list[int]:
        """Return when something changes by itself."""
        tables = self.tables
        moments = [row.due_ms for row in tables.deliveries.values()]
        moments += [row.until_ms for row in tables.deliveries.values()]
        moments += [row.expires_ms for row in tables.messages.values()]
        moments += [row.until_ms for row in tables.leases.values()]
        moments += [row.until_ms for row in tables.once.values()]
        return [moment for moment in moments if moment]

    # queues

    def enqueue(self, drafts: Sequence[Draft], *, got: Any) -> list[tuple[str, int]]:
        receipts = self.engine.queue.enqueue(drafts)
        return [(receipt.status, receipt.message_id) for receipt in receipts]

    def claim(self, queue: str, limit: int, lease_ms: int, *, got: Any) -> list[Grant]:
        if got is not None:
            self.numbers.granted(
                {f"delivery {one.hold.id}": (one.hold.fence, one.hold.token) for one in got}
            )
        leases, _ = self.engine.queue.claim([queue], limit=limit, lease_ms=lease_ms)
        grants = [
            Grant(one.message.id, one.hold, one.message.body, one.attempt, one.term.until_ms)
            for one in leases
        ]
        if got is not None and [one.hold.id for one in got] != [one.hold.id for one in grants]:
            raise self._wrong_claim(got, grants)
        return grants

    def ack(self, hold: Hold, *, got: Any) -> None:
        self.engine.queue.ack(hold, None)

    def ack_many(self, holds: Sequence[Hold], *, got: Any) -> list[Hold]:
        return self.engine.queue.ack_many(holds)

    def complete(self, hold: Hold, effect: str, *, got: Any) -> None:
        """Commit an effect with the ack."""
        with self.engine.queue.completion(hold):
            pass
        self.effects[effect] += 1

    def retry(self, hold: Hold, delay_ms: int, *, got: Any) -> bool:
        return self.engine.queue.retry(hold, delay_ms, "failed")

    def give_back(self, hold: Hold, *, got: Any) -> None:
        self.engine.queue.release(hold)

    def bury(self, hold: Hold, *, got: Any) -> None:
        self.engine.queue.bury(hold, "hopeless")

    def keep(self, hold: Hold, lease_ms: int, *, got: Any) -> int:
        return self.engine.queue.renew(hold, lease_ms).until_ms

    def replay(self, delivery: int, *, got: Any) -> str:
        return self.engine.operators.replay([delivery])[0].kind

    def cancel(self, delivery: int, *, got: Any) -> str:
        return self.engine.operators.cancel([delivery])[0].kind

    # named leases

    def acquire(self, name: str, owner: str, ttl_ms: int, *, got: Any) -> tuple[int, str, int]:
        if got is not None:
            fence, token, _ = got
            known = self.tables.leases.get(name)
            if known is None or known.fence != fence:
                self.numbers.granted({f"name {name}": (fence, token)})
        token = self.numbers.token(f"name {name}") if got is None else got[1]
        taken = self.engine.leases.acquire(name, owner=owner, token=token, ttl_ms=ttl_ms)
        return taken.hold.fence, taken.hold.token, taken.term.until_ms

    def renew(self, hold: NameHold, ttl_ms: int, *, got: Any) -> int:
        return self.engine.leases.renew(hold, ttl_ms).until_ms

    def write(self, hold: NameHold, *, got: Any) -> None:
        """Write something in a transaction under the lease's fence."""
        with self.engine.leases.fenced(hold):
            pass
        self.effects[hold.name] += 1

    def release(self, hold: NameHold, *, got: Any) -> None:
        self.engine.leases.release(hold)
        self.over.add(hold.fence)

    def free(self, name: str, *, got: Any) -> bool:
        known = self.tables.leases.get(name)
        freed = self.engine.leases.free(name)
        if freed and known is not None:
            self.over.add(known.fence)
        return freed

    # keys that are done once

    def begin(self, key: str, lease_ms: int, *, got: Any) -> tuple[str, Any, int, str]:
        """Return "claimed" with fence and token, "done" with the result, or "in work"."""
        if got is not None and got[0] == "claimed":
            self.numbers.granted({f"key {key}": (got[2], got[3])})
        found = self.engine.leases.once.claim(
            NAMESPACE,
            [key],
            holder="",
            token=self.numbers.token(f"key {key}"),
            lease_ms=lease_ms,
            payload_sha256=None,
        )
        if isinstance(found, Claimed):
            return "claimed", None, found.hold.fence, found.hold.token
        if isinstance(found, InWork):
            return "in work", None, 0, ""
        return "done", int(found.result or b"0"), 0, ""

    def hold_on(self, hold: KeyHold, lease_ms: int, *, got: Any) -> int:
        return self.engine.leases.once.renew(hold, lease_ms).until_ms

    def end(self, hold: KeyHold, result: int, keep_ms: int, *, got: Any) -> None:
        self.engine.leases.once.complete(hold, str(result), keep_ms)
        self.over.add(hold.fence)

    def give_up(self, hold: KeyHold, *, got: Any) -> None:
        self.engine.leases.once.release(hold)
        self.over.add(hold.fence)

    # keyed state

    def register(self, name: str, item: Item, *, got: Any) -> None:
        self.engine.keyed.register(Space(NAMESPACE, name), [item])

    def register_if_absent(self, name: str, item: Item, *, got: Any) -> bool:
        return self.engine.keyed.register_if_absent(Space(NAMESPACE, name), item)

    def lookup(self, name: str, key: str, *, got: Any) -> int:
        return _value(self.engine.keyed.find(Space(NAMESPACE, name), [key])[0])

    def consume(self, name: str, key: str, *, got: Any) -> int:
        return _value(self.engine.keyed.take(Space(NAMESPACE, name), key))

    def delete(self, name: str, key: str, *, got: Any) -> bool:
        return self.engine.keyed.delete(Space(NAMESPACE, name), key)

    def count(self, name: str, *, got: Any) -> int:
        return self.engine.keyed.count(Space(NAMESPACE, name))

    # what is not asked of the store

    def open_queue(self, name: str, max_rows: int | None) -> None:
        """Make a queue."""
        self.engine.queue.change_caps(name, {"max_rows": max_rows})

    def open_space(self, name: str, max_entries: int, overflow: Overflow) -> None:
        """Make a namespace."""
        options = Options(max_entries=max_entries, overflow=overflow)
        self.engine.keyed.open(Space(NAMESPACE, name, options))

    def may_believe(self, hold: NameHold | KeyHold) -> bool:
        """True unless what was leased may be another's."""
        if hold.fence in self.over:
            return True
        row: LeaseRow | KeyRow | None
        if isinstance(hold, NameHold):
            row = self.tables.leases.get(hold.name)
        else:
            row = self.tables.once.get((hold.namespace, hold.keys[0]))
        return row is not None and row.fence == hold.fence and row.until_ms > self.clock.now

    def _wrong_claim(self, got: Sequence[Grant], wanted: Sequence[Grant]) -> Broken:
        tables = self.tables
        for one in got:
            row = tables.deliveries.get(one.hold.id)
            if row is None:
                return Broken("nothing-unexpected", f"message {one.message} was claimed")
            if one.hold.id not in [each.hold.id for each in wanted]:
                return _wrongly_claimed(tables, row, self.clock.now)
        messages = [one.message for one in wanted]
        if len(got) < len(wanted):
            return Broken("never-stuck", f"{len(got)} were claimed of messages {messages}")
        said = [one.message for one in got]
        return Broken("lane-order", f"messages {said} were claimed, not {messages}")


def _wrongly_claimed(tables: Tables, row: DeliveryRow, now: int) -> Broken:
    said = f"message {row.message} ({row.state}) was claimed"
    head = None if row.in_lane is None else tables.heads.get(row.in_lane)
    if head not in (None, row.id):
        return Broken("lane-order", f"{said} before delivery {head}")
    if row.state == "leased":
        return Broken("one-holder", f"{said}, and is held until {row.until_ms}")
    if row.state != "ready":
        return Broken("not-handled-twice", said)
    return Broken("nothing-unexpected", f"{said} {(row.due_ms or now) - now} ms early")


def _value(found: Any) -> int:
    return int(found.value) if isinstance(found, Entry) else 0
