"""The async handlers of one worker: some at a time, on one event loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import threading
import types
from collections import Counter, deque
from collections.abc import Coroutine, Generator, Mapping
from functools import partial
from typing import Any

from ..store import Claim, Store
from ..store.engine import Engine
from ..store.errors import InvalidInput
from .attempt import Attempt
from .claims import Claims
from .context import Cancelled
from .handler import Handler
from .log import log


class Coroutines:
    """One thread claims and settles, so that the store keeps no handler waiting; one runs them.

    Both have the same store, which is not that of the main thread.
    """

    def __init__(
        self,
        handlers: Mapping[str, Handler],
        store: Store,
        claims: Claims,
    ) -> None:
        self._handlers = handlers
        self._store = store
        self._claims = claims
        self._running: Counter[str] = Counter()
        self._tasks: dict[Attempt, asyncio.Task[Any]] = {}
        self._ended: deque[tuple[Attempt, object, BaseException | None]] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = False
        self._quiet = False
        self._pid = os.getpid()
        self._woken, self._wakes = os.pipe()
        for fd in (self._woken, self._wakes):
            os.set_blocking(fd, False)
        self._thread = threading.Thread(target=self._run, name="claims", daemon=True)

    def start(self) -> None:
        """Begin to claim."""
        self._thread.start()

    def stop(self) -> None:
        """Claim no more; safe in a signal's handler."""
        self._stopping = True
        self._wake()

    def quiet(self, quiet: bool) -> None:
        """Claim no more for the time being, or again."""
        self._quiet = quiet
        self._wake()

    def cancel(self) -> None:
        """Cancel what is in work."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it has just ended
                self._loop.call_soon_threadsafe(self._cancel_all)

    def join(self, seconds: float) -> bool:
        """True once all has ended, which takes no longer than that."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.write(self._wakes, b"\0")

    # the thread that claims and settles

    def _run(self) -> None:
        try:
            with _loop_of(self._store.engine) as self._loop:
                self._work()
        except BaseException as error:  # noqa: BLE001 - as it would end the main thread
            log.critical("async handlers have failed", exc_info=error)
            os._exit(1)

    def _work(self) -> None:
        claims = self._claims
        woken = select.poll()
        woken.register(self._woken, select.POLLIN)
        while True:
            with contextlib.suppress(BlockingIOError):
                os.read(self._woken, 4096)
            self._settle()
            queues, room = self._room()
            if not queues:
                claims.flush()
                if self._stopping and not self._running.total():
                    return
                woken.poll()
                continue
            begun = claims.next(queues, room)
            for claim in begun:
                self._begin(claim)
            if claims.pause:
                woken.poll(claims.pause * 1000)
            elif not begun:
                claims.wait(queues, self._woken)

    def _room(self) -> tuple[list[str], int]:
        """Return the queues to claim from, and how many so that each handler has the room."""
        if self._stopping or self._quiet:
            return [], 0
        rooms = {
            name: handler.concurrency - self._running[name]
            for name, handler in self._handlers.items()
            if handler.concurrency > self._running[name]
        }
        return list(rooms), min(rooms.values(), default=0)

    def _settle(self) -> None:
        """Tell the store what became of those that have ended."""
        while self._ended:
            attempt, result, error = self._ended.popleft()
            self._running[attempt.handler.name] -= 1
            if error is None:
                self._claims.returned(attempt, result)
            else:
                self._claims.failed(attempt, error)

    def _begin(self, claim: Claim) -> None:
        loop = self._loop
        assert loop is not None
        self._running[claim.queue] += 1
        attempt: Attempt

        def interrupt(error: BaseException) -> None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._cancel, attempt, error)

        attempt = self._claims.begin(claim, interrupt)
        loop.call_soon_threadsafe(self._spawn, attempt)

    # the thread that runs them

    def _spawn(self, attempt: Attempt) -> None:
        task = asyncio.get_running_loop().create_task(self._call(attempt))
        self._tasks[attempt] = task
        task.add_done_callback(partial(self._done, attempt))

    async def _call(self, attempt: Attempt) -> tuple[object, BaseException | None]:
        try:
            call = attempt.handler.function(attempt.claim.message, attempt.context)
            return await call, None
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - a task lets some of them end the loop
            return None, error
        finally:
            if os.getpid() != self._pid:
                os._exit(1)  # a child that the handler forked has come back out of it

    def _done(self, attempt: Attempt, task: asyncio.Task[Any]) -> None:
        del self._tasks[attempt]
        self._claims.spare(attempt)
        if task.cancelled():
            result, error = None, attempt.reason or asyncio.CancelledError("cancelled itself")
        else:
            result, error = task.result()
        self._ended.append((attempt, result, error))
        self._wake()

    def _cancel(self, attempt: Attempt, error: BaseException) -> None:
        if (task := self._tasks.get(attempt)) is not None:
            attempt.reason = error
            task.cancel(str(error))

    def _cancel_all(self) -> None:
        for attempt in list(self._tasks):
            self._cancel(attempt, Cancelled("the worker was told to end"))


@contextlib.contextmanager
def _loop_of(engine: Engine) -> Generator[asyncio.AbstractEventLoop]:
    """Run an event loop in a thread of its own, where no task gets into another's transaction."""
    running: deque[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = deque()
    ready = threading.Event()

    async def until_stopped() -> None:
        loop, stopped = asyncio.get_running_loop(), asyncio.Event()
        loop.set_task_factory(partial(_guarded_task, engine))
        running.append((loop, stopped))
        ready.set()
        await stopped.wait()

    thread = threading.Thread(target=asyncio.run, args=(until_stopped(),), name="loop", daemon=True)
    thread.start()
    ready.wait()
    loop, stopped = running.pop()
    yield loop
    loop.call_soon_threadsafe(stopped.set)
    thread.join()


def _guarded_task(
    engine: Engine,
    loop: asyncio.AbstractEventLoop,
    coroutine: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
    **options: Any,
) -> asyncio.Task[Any]:
    return asyncio.Task(_guarded(engine, coroutine), loop=loop, **options)


async def _guarded(engine: Engine, coroutine: Any) -> Any:
    return await _guard(engine, coroutine)


@types.coroutine
def _guard(engine: Engine, coroutine: Any) -> Generator[Any, Any, Any]:
    """Run a coroutine that must not wait within a transaction.

    Whatever runs while it waits would be in the same one: the thread has just the one.
    """
    resume = partial(coroutine.send, None)
    while True:
        try:
            waits_for = resume()
        except StopIteration as end:
            return end.value
        if engine.in_transaction():
            error = InvalidInput("await within a transaction: compute first, then write")
            resume = partial(coroutine.throw, error)
            continue
        try:
            answer = yield waits_for
        except BaseException as error:  # noqa: BLE001 - for the coroutine to meet
            resume = partial(coroutine.throw, error)
        else:
            resume = partial(coroutine.send, answer)
