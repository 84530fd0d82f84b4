"""Requests that are held: their answer is the result of a handler, if that is there in time.

The sender waits, and nothing else does: neither the event loop nor a commit.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from ..app.route import Answering
from ..store.errors import FencepostError
from ..store.types.durable.ended import Asked, Ended
from ..store.types.messages.draft import Draft
from ..store.types.messages.receipt import Receipt
from ..store.waiting.ends import Answer as Told
from ..store.waiting.ends import Waiting, Watch, in_this_loop
from .answer import Answer, Headers

if TYPE_CHECKING:
    from .lazy_store import LazyStore

# What the store said of a message, as the usual answer says it.
Usual = Callable[[Receipt | FencepostError], Answer]

MOST_HELD = 1000


class Held:
    """How many requests are held by one receiver, of all its threads and loops."""

    def __init__(self) -> None:
        self.most = MOST_HELD
        self.count = 0
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Hold one more; False if there are too many."""
        with self._lock:
            if self.count >= self.most:
                return False
            self.count += 1
            return True

    def let_go(self) -> None:
        """Hold one less."""
        with self._lock:
            self.count -= 1


@dataclass(frozen=True, slots=True)
class Holding:
    """A request whose message is stored.

    Attributes:
        usual: Its answer, should the result not come in time.
        until: On time.monotonic().
    """

    usual: Answer
    until: float
    watch: Watch
    waiting: Waiting
    held: Held

    @property
    def left(self) -> float:
        """How many seconds the sender waits still."""
        return max(0.0, self.until - time.monotonic())

    def end(self, told: Told | None) -> Answer:
        """Return the answer, by what was told in time, if anything was."""
        self.waiting.end(self.watch)
        self.held.let_go()
        if isinstance(told, Ended) and told.state == "done" and told.result is not None:
            body = json.dumps(told.result).encode()
            return Answer(200, Headers({"content-type": "application/json"}), body)
        return self.usual


def hold(
    lazy_store: LazyStore, draft: Draft, usual: Usual, answering: Answering, began: float
) -> Answer:
    """Store a message, and return the result of its handler or the usual answer."""
    told: SimpleQueue[Told] = SimpleQueue()
    holding = _begin(lazy_store, draft, usual, answering, began, told.put)
    if isinstance(holding, Answer):
        return holding
    found: Told | None = None
    try:
        found = told.get(timeout=holding.left)
    except Empty:
        pass
    finally:
        answer = holding.end(found)
    return answer


@dataclass(frozen=True, slots=True)
class HeldRequest:
    """A held request of an event loop."""

    holding: Holding
    told: asyncio.Future[Told]

    async def answer(self) -> Answer:
        """Return the result of its handler, or the usual answer."""
        found: Told | None = None
        try:
            async with asyncio.timeout(self.holding.left):
                found = await self.told
        except TimeoutError:
            pass
        finally:
            answer = self.holding.end(found)
        return answer


async def hold_async(
    lazy_store: LazyStore, draft: Draft, usual: Usual, answering: Answering, began: float
) -> HeldRequest | Answer:
    """Store a message; return its request if that is held, else its answer.

    In a thread, and not with other messages: it commits, and then looks for the result of a
    duplicate.
    """
    told, tell = in_this_loop()
    begin = asyncio.to_thread(_begin, lazy_store, draft, usual, answering, began, tell)
    task = asyncio.ensure_future(begin)
    try:
        holding = await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(_give_up)
        raise
    return holding if isinstance(holding, Answer) else HeldRequest(holding, told)


def _begin(
    lazy_store: LazyStore,
    draft: Draft,
    usual: Usual,
    answering: Answering,
    began: float,
    tell: Callable[[Told], object],
) -> Holding | Answer:
    if not lazy_store.held.take():
        return usual(_store(lazy_store, draft, listen=False))
    holding = None
    try:
        outcome = _store(lazy_store, draft, listen=True)
        answer = usual(outcome)
        if (
            not isinstance(outcome, Receipt)
            or outcome.status == "conflict"  # the result would be that of another body
            or outcome.state is None  # no handler gets it
        ):
            return answer
        try:
            waiting = lazy_store.open().engine.durable.ends.waiting
            watch = Watch(Asked(outcome.message_id, answering.queue), tell)
            waiting.watch(watch)
        except FencepostError:
            return answer
        until = began + answering.within
        holding = Holding(answer, until, watch, waiting, lazy_store.held)
        return holding
    finally:
        if holding is None:
            lazy_store.held.let_go()


def _store(lazy_store: LazyStore, draft: Draft, *, listen: bool) -> Receipt | FencepostError:
    try:
        engine = lazy_store.open().engine
        verbs = engine.durable.ends if listen else engine.queue
        (outcome,) = verbs.enqueue_each([draft])
    except FencepostError as error:
        return error
    return outcome


def _give_up(task: asyncio.Task[Holding | Answer]) -> None:
    """End what was begun for a request that is not waited for any more."""
    if not task.cancelled() and task.exception() is None:
        holding = task.result()
        if isinstance(holding, Holding):
            holding.end(None)
