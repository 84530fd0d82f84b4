"""honker: claims of 32 and acks in a loop, as in its own benchmark."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any, ClassVar

from ..handler import handle
from ..place import Place
from ..queue import Promises, Queue

_POLL_SECONDS = 0.001
_BATCH = 32


def _open(place: Place) -> tuple[Any, Any]:
    import honker

    db = honker.open(str(place.folder / "honker.db"))
    return db, db.queue("bench")


class Producer:
    """One queue, kept open."""

    def __init__(self, place: Place) -> None:
        self.db, self.queue = _open(place)

    def put(self, number: int, body: bytes) -> object:
        """Enqueue text, which it keeps as JSON."""
        return self.queue.enqueue(body.decode())

    def put_many(self, numbers: Sequence[int], bodies: Sequence[bytes]) -> None:
        """Enqueue within one of its transactions."""
        with self.db.transaction() as tx:
            for body in bodies:
                self.queue.enqueue(body.decode(), tx=tx)

    def setting(self) -> str:
        """Say what its documentation says: its connections are not open to others."""
        return "journal_mode=wal, synchronous=NORMAL (not read back)"


class Honker(Queue):
    """As it comes."""

    name = "honker"
    package = "honker"
    durabilities: ClassVar[dict[str, str]] = {"normal": "not survived"}
    messages = (2_000, 2_000)
    bulk = True
    batched = True
    promises = Promises(
        fenced="by worker: a claim is known by its worker's name",
        deduped="no",
        killed="yes: after its visibility timeout",
        note="honker-core/src/honker_ops.rs",
    )

    def prepare(self, place: Place) -> None:
        """Make the tables."""
        _open(place)

    def producer(self, place: Place) -> Producer:
        """Open the file."""
        return Producer(place)

    def work(self, place: Place) -> None:
        """Claim, handle, ack."""
        _db, queue = _open(place)
        while True:
            jobs = queue.claim_batch(f"worker-{os.getpid()}", _BATCH)
            for job in jobs:
                handle(job.payload)
            if jobs:
                queue.ack_batch([job.id for job in jobs], f"worker-{os.getpid()}")
            else:
                time.sleep(_POLL_SECONDS)
