"""The tables of a plain store. Their rows never change, so a copy of the dictionaries is one
of everything: a transaction works on a copy, which is the store once it is committed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields

from ..types.durable.step import StepRecord
from ..types.durable.wait import Secret, Subject, Wait
from ..types.worker import Event
from .rows import (
    LIVE,
    AsideRow,
    ConflictRow,
    DeliveryRow,
    EntryRow,
    HostRow,
    KeyRow,
    LeaseRow,
    MessageRow,
    PoolRow,
    QueueRow,
    RouteRow,
    ScheduleRow,
    SpaceRow,
    WorkerRow,
)

Lane = tuple[str, str]
Name = tuple[str, str]  # of a namespace: its owner, and its own


@dataclass
class Tables:
    """All that a store holds.

    Attributes:
        last: The last number given out of each kind.
        heads: Of each lane the delivery that may be claimed, or keeps the others waiting.
        entries: By namespace, then by key. The inner dictionaries are replaced too.
        soonest: No entry of a namespace expires before; none at all without one.
        scale: {"workers": how many each pool is to have}, when that was said.
    """

    last: dict[str, int] = field(default_factory=dict)
    messages: dict[int, MessageRow] = field(default_factory=dict)
    keys: dict[Name, int] = field(default_factory=dict)  # a message by its scope and key
    deliveries: dict[int, DeliveryRow] = field(default_factory=dict)
    queues: dict[str, QueueRow] = field(default_factory=dict)
    steps: dict[int, tuple[StepRecord, ...]] = field(default_factory=dict)  # by delivery
    # By delivery, name and occurrence.
    waits: dict[tuple[int, str, int], Wait] = field(default_factory=dict)
    subjects: dict[tuple[int, str, int], Subject] = field(default_factory=dict)
    secrets: dict[int, Secret] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)
    heads: dict[Lane, int] = field(default_factory=dict)
    routes: dict[str, RouteRow] = field(default_factory=dict)
    kept: dict[tuple[str, int], None] = field(default_factory=dict)  # by queue and message
    conflicts: dict[str, ConflictRow] = field(default_factory=dict)
    hosts: dict[str, HostRow] = field(default_factory=dict)
    spaces: dict[Name, SpaceRow] = field(default_factory=dict)
    owner_caps: dict[str, int | None] = field(default_factory=dict)
    entries: dict[Name, dict[str, EntryRow]] = field(default_factory=dict)
    soonest: dict[Name, int] = field(default_factory=dict)
    aside: dict[int, AsideRow] = field(default_factory=dict)
    leases: dict[str, LeaseRow] = field(default_factory=dict)
    once: dict[Name, KeyRow] = field(default_factory=dict)
    pools: dict[int, PoolRow] = field(default_factory=dict)
    workers: dict[int, WorkerRow] = field(default_factory=dict)
    schedules: dict[str, ScheduleRow] = field(default_factory=dict)
    scale: dict[str, int | None] = field(default_factory=dict)
    events: dict[int, Event] = field(default_factory=dict)

    def copy(self) -> Tables:
        """Return the same tables, to be changed apart from these."""
        return Tables(*(dict(getattr(self, table.name)) for table in fields(self)))

    def of_queue(self, queue: str) -> Iterator[DeliveryRow]:
        """Return the deliveries of a queue, oldest first."""
        return (row for row in self.deliveries.values() if row.queue == queue)

    def of_message(self, message: int) -> list[DeliveryRow]:
        """Return the deliveries of a message, oldest first."""
        return [row for row in self.deliveries.values() if row.message == message]

    def live(self, queue: str) -> list[DeliveryRow]:
        """Return what counts towards the caps of a queue."""
        return [row for row in self.of_queue(queue) if row.state in LIVE]
