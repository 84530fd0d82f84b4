"""Fencepost: its queue's `enqueue` and the pool that `fencepost work` starts."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import apsw

from fencepost import App, Message, Store, connect

from ..handler import handle
from ..place import Place, here
from ..queue import WORKERS, Promises, Queue, sqlite_setting

FILE = "fencepost.db"
QUEUE = "bench"


class Producer:
    """One store, kept open."""

    keyed = False

    def __init__(self, place: Place) -> None:
        self.store: Store = connect(place.folder / FILE, durability=place.durability)
        self.queue = self.store.queue(QUEUE)

    def put(self, number: int, body: bytes) -> object:
        """Enqueue one."""
        return self.queue.enqueue(body, key=f"order-{number}" if self.keyed else None)

    def put_many(self, numbers: Sequence[int], bodies: Sequence[bytes]) -> object:
        """Enqueue in one transaction."""
        if not self.keyed:
            return self.queue.enqueue_many({"body": body} for body in bodies)
        return self.queue.enqueue_many(
            {"body": body, "key": f"order-{number}"}
            for number, body in zip(numbers, bodies, strict=True)
        )

    def setting(self) -> str:
        """Read the pragmas on the store's own connection."""
        (own,) = (each for each in apsw.connections() if not each.readonly("main"))
        return sqlite_setting(own.pragma("journal_mode"), own.pragma("synchronous"))


class KeyedProducer(Producer):
    """Each message has a key, so that a second one is known as a duplicate."""

    keyed = True


class Fencepost(Queue):
    """Without keys."""

    name = "fencepost"
    package = "fencepost"
    durabilities: ClassVar[dict[str, str]] = {"full": "survived", "normal": "not survived"}
    processes = 1
    messages = (2_000, 20_000)
    bulk = True
    batched = True
    promises = Promises(
        fenced="yes: fence and random token",
        deduped="no key given",
        killed="yes: by itself",
        note="docs/reliability.md",
    )

    def producer(self, place: Place) -> Producer:
        """Open the store."""
        return Producer(place)

    def work(self, place: Place) -> None:
        """Become `fencepost work`."""
        target = "bench.peers.queues.fencepost:app"
        arguments = ["work", target, "--workers", str(WORKERS)]
        os.execv(sys.executable, [sys.executable, "-m", "fencepost", *arguments])


class FencepostKeyed(Fencepost):
    """With a key for each message."""

    name = "fencepost, keyed"
    durabilities: ClassVar[dict[str, str]] = {"full": "survived"}
    promises = Promises(
        fenced="yes: fence and random token",
        deduped="yes, until the key's retention ends",
        killed="yes: by itself",
        note="docs/reliability.md",
    )

    def producer(self, place: Place) -> Producer:
        """Open the store."""
        return KeyedProducer(place)


def make_app() -> App:
    """Return the app that the workers load."""
    place = here()
    made = App(Path(place.folder, FILE), durability=place.durability)
    made.task(QUEUE)(_handle)
    return made


def _handle(message: Message, ctx: object) -> None:
    handle(message.body)


if "PEERS_FOLDER" in os.environ:
    app = make_app()
