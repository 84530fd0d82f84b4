"""Async handlers of one worker: several at a time, on one event loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import types
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping
from functools import partial
from typing import Any

from ...app.exceptions import Cancelled
from ...app.handlers.handler import Handler
from ...store import Claim
from ...store.engine import Engine
from ...store.errors import InvalidInput
from .attempt import Attempt
from .claimer import Claimer
from .state.context_variables import fresh_context


class Coroutines:
    """An event loop that runs in the main thread when the worker has nothing else to do.

    Between its turns the worker claims, settles and calls plain handlers. So no handler's code
    runs while the worker is inside a transaction. A handler that does not release the
    interpreter would otherwise keep the write lock from all processes.
    """

    def __init__(self, handlers: Mapping[str, Handler], claims: Claimer, engine: Engine) -> None:
        self._handlers = handlers
        self._claimer = claims
        self._running: Counter[str] = Counter()
        self._tasks: dict[Attempt, asyncio.Task[Any]] = {}
        self._ended: deque[tuple[Attempt, object, BaseException | None]] = deque()
        self._pid = os.getpid()
        # With a factory it is not the thread's own loop: a plain handler may want another.
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._loop = self._runner.get_loop()
        self._loop.set_task_factory(partial(guarded_task, engine))

    @property
    def in_work(self) -> bool:
        """True while a handler runs or an outcome is not settled."""
        return bool(self._tasks or self._ended)

    def room(self) -> tuple[list[str], int]:
        """Return the queues to claim from, and how many deliveries so that no handler gets too many."""
        rooms = {
            name: handler.concurrency - self._running[name]
            for name, handler in self._handlers.items()
            if handler.concurrency > self._running[name]
        }
        return list(rooms), min(rooms.values(), default=0)

    def begin(self, claim: Claim) -> None:
        """Start a handler; it runs with the next turn of the loop."""
        attempt: Attempt | None

        def interrupt(error: BaseException, wanted: Callable[[], bool]) -> None:
            self._soon(lambda: self._cancel(attempt, error) if attempt and wanted() else None)

        attempt = self._claimer.begin(claim, interrupt)
        assert attempt is not None, "it was not claimed ahead"
        self._running[claim.queue] += 1
        task = self._loop.create_task(self._call(attempt), context=fresh_context())
        self._tasks[attempt] = task
        task.add_done_callback(partial(self._done, attempt))

    def run(self, seconds: float, *fds: int) -> None:
        """Run the loop until a handler ends, a descriptor is readable, or time is up.

        Every handler that can continue does so at least once.
        """
        for fd in fds:
            self._loop.add_reader(fd, self._loop.stop)
        timer = self._loop.call_later(0 if self._ended else seconds, self._loop.stop)
        try:
            # It ends the loop, and is kept for the code that awaits the task that raised it.
            with contextlib.suppress(SystemExit, KeyboardInterrupt):
                self._loop.run_forever()
        finally:
            timer.cancel()
            for fd in fds:
                self._loop.remove_reader(fd)

    def complete(self, awaitable: Awaitable[object]) -> None:
        """Run an awaitable that is not a handler to its end, on the same loop."""

        async def wait() -> None:
            await awaitable

        self._loop.run_until_complete(wait())

    def settle(self) -> None:
        """Pass on the outcome of the handlers that have ended."""
        while self._ended:
            attempt, result, error = self._ended.popleft()
            self._running[attempt.handler.name] -= 1
            if error is None:
                self._claimer.returned(attempt, result)
            else:
                self._claimer.failed(attempt, error)

    def cancel(self) -> None:
        """Cancel all running handlers; may be called in any thread."""
        self._soon(self._cancel_all)

    def close(self) -> None:
        """Close the loop, and end the tasks that handlers have left on it."""
        self._runner.close()

    def _soon(self, call: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has been closed
            self._loop.call_soon_threadsafe(call)

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
        if task.cancelled():
            result, error = None, attempt.reason or asyncio.CancelledError("cancelled itself")
        else:
            result, error = task.result()
        self._claimer.end(attempt, error, result)
        self._ended.append((attempt, result, error))
        self._loop.stop()

    def _cancel(self, attempt: Attempt, error: BaseException) -> None:
        if (task := self._tasks.get(attempt)) is not None:
            attempt.reason = error
            task.cancel(str(error))

    def _cancel_all(self) -> None:
        for attempt in list(self._tasks):
            if not isinstance(attempt.reason, Cancelled):  # it may be cleaning up
                self._cancel(attempt, Cancelled("the worker was told to end"))


def guarded_task(
    engine: Engine,
    loop: asyncio.AbstractEventLoop,
    coroutine: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
    **options: Any,
) -> asyncio.Task[Any]:
    """Make a task, as a loop's task factory does, that must not wait within a transaction."""
    return asyncio.Task(_guarded(engine, coroutine), loop=loop, **options)


async def _guarded(engine: Engine, coroutine: Any) -> Any:
    return await _guard(engine, coroutine)


@types.coroutine
def _guard(engine: Engine, coroutine: Any) -> Generator[Any, Any, Any]:
    """Run a coroutine that must not wait within a transaction.

    The thread has one transaction, so other handlers that run meanwhile would be inside it too.
    """
    resume = [partial(coroutine.send, None)]
    while True:
        try:
            waits_for = resume.pop()()  # not kept: an error's traceback has this frame
        except StopIteration as end:
            return end.value
        if engine.transactions.is_open():
            wrong = "await within a transaction: compute first, then write"
            resume.append(partial(coroutine.throw, InvalidInput(wrong)))
            continue
        try:
            answer = yield waits_for
        except BaseException as error:  # noqa: BLE001 - for the coroutine to meet
            resume.append(partial(coroutine.throw, error))
        else:
            resume.append(partial(coroutine.send, answer))
