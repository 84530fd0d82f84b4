"""What a queue says of itself, so that each is driven in the same way."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from .place import Place

WORKERS = 2


@dataclass(frozen=True, slots=True)
class Promises:
    """What holds for a queue, as its documentation or source says; `note` has the source."""

    fenced: str
    deduped: str
    killed: str
    note: str


class Producer(Protocol):
    """A process's way to put messages into a queue."""

    def put(self, number: int, body: bytes) -> object:
        """Enqueue one message, and return when the queue says that it has it."""

    def put_many(self, numbers: Sequence[int], bodies: Sequence[bytes]) -> object:
        """Enqueue several, by the queue's own call for that where it has one."""

    def setting(self) -> str:
        """Return the durability that is in force, as read back from the connection."""


class Queue:
    """One queue in one way of use.

    Attributes:
        package: The distribution that is measured.
        durabilities: Whether a power loss is survived at each; the queue's default first.
        service: The server that it needs.
        processes: How many processes are to be started for two workers.
        messages: How many are put one by one, and how many are drained: about a second each.
        bulk: Whether `put_many` is one call, or one transaction, of the queue.
        batched: Whether its workers commit several messages at once.
    """

    name: ClassVar[str]
    package: ClassVar[str]
    durabilities: ClassVar[dict[str, str]]
    service: ClassVar[str | None] = None
    processes: ClassVar[int] = WORKERS
    messages: ClassVar[tuple[int, int]] = (2_000, 4_000)
    bulk: ClassVar[bool] = False
    batched: ClassVar[bool] = False
    promises: ClassVar[Promises]

    def prepare(self, place: Place) -> None:
        """Make what the first producer expects to be there."""

    def producer(self, place: Place) -> Producer:
        """Open the queue for enqueueing."""
        raise NotImplementedError

    def work(self, place: Place) -> Any:
        """Hand messages to the handler until the process is ended."""
        raise NotImplementedError

    def recover(self, place: Place) -> None:
        """Do what the documentation tells an operator to do after workers were killed."""

    def command(self) -> list[str]:
        """Return the command of a worker's process."""
        return [sys.executable, "-m", "bench.peers.child", "work", self.name]


class OneByOne:
    """Enqueueing many where a queue has no call for it."""

    def put_many(self: Producer, numbers: Sequence[int], bodies: Sequence[bytes]) -> None:
        """Enqueue each."""
        for number, body in zip(numbers, bodies, strict=True):
            self.put(number, body)


def sqlite_setting(journal_mode: str, synchronous: int) -> str:
    """Return what two pragmas of a connection said."""
    name = {0: "OFF", 1: "NORMAL", 2: "FULL", 3: "EXTRA"}[synchronous]
    return f"journal_mode={journal_mode}, synchronous={name}"
