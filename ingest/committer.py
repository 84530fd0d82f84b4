"""Group commit: requests that arrive during a commit share the next one."""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import ThreadPoolExecutor

from ..store.engine import Engine
from ..store.errors import FencepostError
from ..store.types.message import Draft, Receipt

# Bounds on how long one transaction holds the write lock.
_MOST_DRAFTS = 500
_MOST_BYTES = 8 * 1024 * 1024


class Committer:
    """Stores the messages of one event loop in a thread, so that the loop never waits for the disk."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: deque[tuple[Draft, asyncio.Future[Receipt]]] = deque()
        self._running: asyncio.Task[None] | None = None
        self._alone = 0  # so many of those waiting get a transaction of their own
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="commit")

    async def commit(self, draft: Draft) -> Receipt:
        """Return once the message is on disk.

        Raises:
            QueueFull, LimitExceeded: There is no room for this message.
            FencepostError: The transaction failed, for all messages in it.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Receipt] = loop.create_future()
        self._waiting.append((draft, done))
        if self._running is None:
            self._running = loop.create_task(self._run())
        return await done

    async def close(self) -> None:
        """Store what is waiting, then end the thread."""
        if self._running is not None:
            await self._running
        self._thread.shutdown()

    async def _run(self) -> None:
        # A task's first step comes after every callback of this turn of the loop, so
        # requests that were read together are committed together.
        loop = asyncio.get_running_loop()
        while batch := self._next_batch():
            drafts = [draft for draft, _ in batch]
            try:
                answers = await loop.run_in_executor(
                    self._thread, self._engine.queue.enqueue_each, drafts
                )
            except Exception as error:  # noqa: BLE001 - raised in the waiting requests
                if len(batch) > 1 and not isinstance(error, FencepostError):
                    # One message may be the cause, so each gets a transaction of its own.
                    self._waiting.extendleft(reversed(batch))
                    self._alone = len(batch)
                    continue
                for _, done in batch:
                    if not done.cancelled():
                        done.set_exception(error)
            else:
                for (_, done), answer in zip(batch, answers, strict=True):
                    if done.cancelled():
                        continue
                    if isinstance(answer, Receipt):
                        done.set_result(answer)
                    else:
                        done.set_exception(answer)
        self._running = None

    def _next_batch(self) -> list[tuple[Draft, asyncio.Future[Receipt]]]:
        batch: list[tuple[Draft, asyncio.Future[Receipt]]] = []
        size = 0
        most = 1 if self._alone else _MOST_DRAFTS
        self._alone = max(0, self._alone - 1)
        while self._waiting and len(batch) < most and size < _MOST_BYTES:
            batch.append(self._waiting.popleft())
            size += len(batch[-1][0].body)
        return batch
