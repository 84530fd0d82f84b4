"""Group commit: requests that arrive during a commit share the next one."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

from ..log.log import log
from ..store.engine import Engine
from ..store.errors import FencepostError
from ..store.types.messages.draft import Draft
from ..store.types.messages.receipt import Receipt

# Bounds on how long one transaction holds the write lock.
_MOST_DRAFTS = 500
_MOST_BYTES = 8 * 1024 * 1024
# So many share a commit that more would not make it cheaper for each: a transaction takes as
# long as some 15 messages in it, without its sync.
_ENOUGH_DRAFTS = 64

# So long a loop of the receiver's own does nothing while a commit runs: three commits of 30
# messages on a fast disk. No health check is answered later for it, whatever the disk does.
_LOOP_WAITS_SECONDS = 0.002
_MOST_AT_LARGE = 255

Outcome = Receipt | BaseException
Outcomes = Sequence[Outcome] | BaseException
Answering = Callable[[Outcome], None]
Batch = list[tuple[Draft, Answering]]


class LoopWait:
    """Whether a loop waits for a commit, or goes on while it runs.

    Two threads that want the interpreter at once take it from each other at each statement and
    each request: 32 senders get 1.3 times as many answers when the loop stands still. But it
    must not stand still for a slow disk or another writer. After each commit that was waited
    for in vain twice as many go unwaited for; each that ended in time halves that again, so a
    checkpoint now and then changes nothing.
    """

    def __init__(self) -> None:
        self._at_large = 0  # so many go unwaited for after the next one that is slow
        self._left = 0

    def begins(self) -> bool:
        """Return whether to wait for the commit that begins."""
        if self._left:
            self._left -= 1
            return False
        return True

    def ended(self, *, in_time: bool) -> None:
        """Note how one that was waited for has ended."""
        if in_time:
            self._at_large //= 2
        else:
            self._left = self._at_large
            self._at_large = min(2 * self._at_large + 1, _MOST_AT_LARGE)


class Committer:
    """Stores the messages of one event loop in a thread, so that the loop never waits for the disk.

    All methods are called in that loop.
    """

    def __init__(self, engine: Engine, *, wait: LoopWait | None = None) -> None:
        """`wait` is for a loop that may stand still for a moment, as LoopWait says."""
        self._engine = engine
        self._wait = wait
        self._waiting: deque[tuple[Draft, Answering]] = deque()
        self._batch: Batch = []  # what the thread stores
        self._busy = False  # a batch is in the thread, or will be by the next turn of the loop
        self._alone = 0  # so many of those waiting get a transaction of their own
        self._idle: asyncio.Future[None] | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="commit")

    def add(self, draft: Draft, answer: Answering) -> None:
        """Store a message with the next batch.

        Args:
            answer: Called in the loop: with a receipt once the message is on disk, or with the
                error. QueueFull and LimitExceeded are of this message; any other error is of
                the transaction, for all messages in it.
        """
        self._waiting.append((draft, answer))
        if not self._busy:
            # In the next turn, so requests that were read in this one are committed together.
            self._busy = True
            asyncio.get_running_loop().call_soon(self._hand_over)

    async def commit(self, draft: Draft) -> Receipt:
        """Return once the message is on disk.

        Raises:
            QueueFull, LimitExceeded: There is no room for this message.
            FencepostError: The transaction failed, for all messages in it.
        """
        done: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self.add(draft, partial(_settle, done))
        return await done

    async def close(self) -> None:
        """Store what is waiting, then end the thread."""
        if self._busy:
            self._idle = asyncio.get_running_loop().create_future()
            await self._idle
        self._thread.shutdown()

    def _hand_over(self) -> None:
        """Give the thread the next batch."""
        batch = self._batch = self._next_batch()
        self._busy = bool(batch)
        if batch:
            loop = asyncio.get_running_loop()
            try:
                future = self._thread.submit(_store, self._engine, batch)
            except RuntimeError as error:  # it has ended, as the interpreter is about to
                loop.call_soon(self._stored, error)
            else:
                waits = self._wait is not None and len(batch) < _ENOUGH_DRAFTS
                self._await(future, loop, self._wait if waits else None)
        elif self._idle is not None:
            self._idle.set_result(None)
            self._idle = None

    def _await(
        self, future: Future[Outcomes], loop: asyncio.AbstractEventLoop, wait: LoopWait | None
    ) -> None:
        """Answer the batch once it is stored; `wait`: now, if that is soon."""
        if wait is not None and wait.begins():
            try:
                outcomes = future.result(_LOOP_WAITS_SECONDS)
            except TimeoutError:
                wait.ended(in_time=False)
            else:
                wait.ended(in_time=True)
                loop.call_soon(self._stored, outcomes)
                return
        future.add_done_callback(partial(_tell, loop, self._stored))

    def _stored(self, outcomes: Outcomes) -> None:
        """Answer the requests of a batch.

        The next batch is on its way before, if it is large. Else it waits for one turn of the
        loop: a sender that has its answer sends the next request at once, and these share the
        commit. With 32 senders that is 28 in a batch, not 16.
        """
        batch = self._batch
        if isinstance(outcomes, BaseException):
            if len(batch) > 1 and not isinstance(outcomes, FencepostError):
                # One message may be the cause, so each gets a transaction of its own.
                self._waiting.extendleft(reversed(batch))
                self._alone = len(batch)
                batch = []
            outcomes = [outcomes] * len(batch)
        if len(self._waiting) >= _ENOUGH_DRAFTS or not self._waiting:
            self._hand_over()
        else:
            asyncio.get_running_loop().call_soon(self._hand_over)
        log.gather()
        for (_, answer), outcome in zip(batch, outcomes, strict=True):
            try:
                answer(outcome)
            except Exception as error:  # noqa: BLE001 - the others are answered
                problem = {"message": "a stored message was not answered", "exception": error}
                asyncio.get_running_loop().call_exception_handler(problem)
        log.flush()

    def _next_batch(self) -> Batch:
        batch: Batch = []
        size = 0
        most = 1 if self._alone else _MOST_DRAFTS
        self._alone = max(0, self._alone - 1)
        while self._waiting and len(batch) < most and size < _MOST_BYTES:
            batch.append(self._waiting.popleft())
            size += len(batch[-1][0].body)
        return batch


def _store(engine: Engine, batch: Batch) -> Outcomes:
    """Commit a batch, in the thread."""
    try:
        return engine.queue.enqueue_each([draft for draft, _ in batch])
    except BaseException as error:  # noqa: BLE001 - it is the answer to the waiting requests
        return error


def _tell(
    loop: asyncio.AbstractEventLoop, stored: Callable[[Outcomes], None], future: Future[Outcomes]
) -> None:
    """Tell the loop, in the thread."""
    with contextlib.suppress(RuntimeError):  # the loop was closed, so no request waits
        loop.call_soon_threadsafe(stored, future.result())


def _settle(done: asyncio.Future[Receipt], outcome: Outcome) -> None:
    if done.cancelled():
        return
    if isinstance(outcome, Receipt):
        done.set_result(outcome)
    else:
        done.set_exception(outcome)
