"""litequeue: its own pop and done in a loop, since it has no workers."""

from __future__ import annotations

import importlib.util
import re
import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from types import ModuleType
from typing import Any, ClassVar

from ..handler import handle
from ..place import Place
from ..queue import Promises, Queue, sqlite_setting

_POLL_SECONDS = 0.001


def _load(name: str) -> ModuleType:
    """Import the package; before Python 3.12, with its `type X = Y` lines read as `X = Y`.

    They are all that keeps version 0.14 from Python 3.11, and have no effect when it runs.
    """
    if sys.version_info >= (3, 12):
        return importlib.import_module(name)
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"No module named {name!r}")
    with open(spec.origin, encoding="utf-8") as file:
        text = re.sub(r"^type (\w+) =", r"\1 =", file.read(), flags=re.MULTILINE)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    if name == "litequeue":
        _load("litequeue.migrations")
    exec(compile(text, spec.origin, "exec"), module.__dict__)  # noqa: S102 -- the installed package
    return module


def _open(place: Place) -> Any:
    queue = _load("litequeue").LiteQueue(place.folder / "litequeue.db")
    if place.durability == "full":
        queue.conn.execute("pragma synchronous = full")
    return queue


def _again_while_locked(call: Callable[[], Any]) -> Any:
    """Call until the file is not locked: after 5 s of waiting, SQLite gives up."""
    while True:
        try:
            return call()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise


class Producer:
    """One queue, kept open."""

    keyed = False

    def __init__(self, place: Place) -> None:
        self.queue = _open(place)

    def put(self, number: int, body: bytes) -> object:
        """Put text, which is what it stores."""
        key = f"order-{number}" if self.keyed else None
        return self.queue.put(body.decode(), idempotency_key=key)

    def put_many(self, numbers: Sequence[int], bodies: Sequence[bytes]) -> None:
        """Put within one of its transactions."""
        with self.queue.transaction(mode="IMMEDIATE"):
            for number, body in zip(numbers, bodies, strict=True):
                self.put(number, body)

    def setting(self) -> str:
        """Read the pragma on its write connection."""
        row = self.queue.conn.execute("pragma synchronous").fetchone()
        mode = self.queue.conn.execute("pragma journal_mode").fetchone()
        return sqlite_setting(mode[0], row[0])


class KeyedProducer(Producer):
    """Each message has an idempotency key."""

    keyed = True


class LiteQueue(Queue):
    """As it comes, and with synchronous=FULL set on its connection."""

    name = "litequeue"
    package = "litequeue"
    durabilities: ClassVar[dict[str, str]] = {"normal": "not survived", "full": "survived"}
    messages = (2_000, 4_000)
    bulk = True
    promises = Promises(
        fenced="yes: claim number per message",
        deduped="no key given",
        killed="by hand: retry_expired()",
        note="litequeue/__init__.py, done and retry_expired",
    )

    def producer(self, place: Place) -> Producer:
        """Open the file."""
        return Producer(place)

    def work(self, place: Place) -> None:
        """Pop, handle, mark as done."""
        queue = _open(place)
        while True:
            message = _again_while_locked(queue.pop)
            if message is None:
                time.sleep(_POLL_SECONDS)
                continue
            handle(message.data)
            _again_while_locked(partial(queue.done, message.message_id, claim_id=message.claim_id))

    def recover(self, place: Place) -> None:
        """Make what was claimed ready again."""
        _open(place).retry_expired(0)


class LiteQueueKeyed(LiteQueue):
    """With an idempotency key for each message."""

    name = "litequeue, keyed"
    durabilities: ClassVar[dict[str, str]] = {"full": "survived"}
    promises = Promises(
        fenced="yes: claim number per message",
        deduped="yes, until prune()",
        killed="by hand: retry_expired()",
        note="litequeue/__init__.py, put and prune",
    )

    def producer(self, place: Place) -> Producer:
        """Open the file."""
        return KeyedProducer(place)
