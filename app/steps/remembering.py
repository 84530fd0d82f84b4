"""The part of a context for what a handler remembers."""

from __future__ import annotations

import inspect
import random
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Any
from uuid import UUID

from ...store import Message
from ...store.naming import verbs
from ...store.types.validate import Duration
from .calls.gather import checked, gather
from .steps import Steps


@verbs
class Remembering:
    """Steps, sleeps and waits of one attempt."""

    def step(
        self,
        name: str,
        function: Callable[..., Any],
        /,
        *args: Any,
        in_transaction: bool = False,
        record: type[Exception] | tuple[type[Exception], ...] = (),
        **kwargs: Any,
    ) -> Any:
        """Call a function once: a later attempt gets the recorded outcome and calls nothing.

        In a coroutine handler it returns an awaitable, and the function may be a coroutine
        function. The outcome is recorded, in one commit, before it is returned, and what is
        returned is what was recorded: JSON of at most 64 KiB (a tuple is a list then), or
        bytes of at most 1 MiB. An outcome that cannot be recorded makes the delivery a dead
        letter. If the process dies after the call and before the commit, the function is
        called again, with the same `step_key`.

        Args:
            name: 1 to 200 characters, no control characters. The same name again in one attempt is another step.
            function: Called with the other arguments.
            in_transaction: Call the function with a transaction before its other arguments;
                its writes and the record commit together. It must not be a coroutine.
            record: Exceptions that are an outcome too: they are recorded, and raised again in
                later attempts. Other exceptions are not recorded.

        Raises:
            StepChanged: The step was recorded with other arguments; the delivery is a dead
                letter.
            LeaseLost: Another worker has claimed the delivery; stop working.
            InvalidInput: It is called within a step, a transaction or another thread.
        """
        with self._telling():
            found = self._steps("step").calls.step(
                name, function, args, kwargs, in_transaction=in_transaction, record=record
            )
        return self._told_of(found) if inspect.iscoroutine(found) else found

    def gather(self, *steps: Awaitable[Any], return_exceptions: bool = False) -> Awaitable[Any]:
        """Wait for steps that run side by side; return their outcomes in order.

        All are waited for, also when one fails: what has ended is recorded. Then the first
        failure in order is raised.

        Args:
            return_exceptions: Return failures in the place of outcomes.

        Raises:
            InvalidInput: The handler is no coroutine, or one of the arguments is not what
                `step`, `sleep`, `wait` or another coroutine returned. None of them has begun.
        """
        return gather(checked(steps), return_exceptions=return_exceptions)

    @property
    def step_key(self) -> str:
        """Within a step: the same for each attempt at it, and different for every other step.

        Pass it to services that you call, as their idempotency key.
        """
        return self._steps("step_key", inside=True).calls.key

    def now(self) -> float:
        """Return Unix seconds, in later attempts the same as in the first."""
        return self._steps("now").values.now()

    def random(self) -> float:
        """Return a number from 0 up to 1, in later attempts the same as in the first."""
        return random.Random(self._steps("random").values.draw()).random()

    def uuid(self) -> UUID:
        """Return a random UUID, in later attempts the same as in the first."""
        return UUID(bytes=self._steps("uuid").values.draw()[:16], version=4)

    def sleep(self, name: str, seconds: Duration, /) -> Any:
        """End the attempt here; a later one goes on after this time.

        Meanwhile the delivery holds no worker and no lease, and sleeping is no attempt: after
        it the attempts are counted anew. The time is counted from this call, and stands from
        then on. In a coroutine handler it returns an awaitable.

        Raises:
            Suspended: Always, until the time is over. It is no Exception; let it pass.
            InvalidInput: The handler has `at_most_once`, or the call cannot be made here.
        """
        return self._sleeper("sleep").sleeps.sleep(name, seconds)

    def wait(self, name: str, /, timeout: Duration | None = None) -> Any:
        """Return the answer that somebody gives; the attempt ends while there is none.

        The answer comes by `wait_url`, `Store.resume` or `fencepost resume`, and the first one
        counts. It may have come before this call. Meanwhile the delivery sleeps. In a
        coroutine handler it returns an awaitable.

        Args:
            timeout: Seconds from this call in the first attempt that makes it; None for no
                end.

        Raises:
            WaitTimeout: No answer came in time.
            Suspended: There is none yet. It is no Exception; let it pass.
            InvalidInput: The handler has `at_most_once`, or the call cannot be made here.
        """
        return self._sleeper("wait").waits.wait(name, timeout)

    def wait_for(
        self,
        source: str,
        event: str = "*",
        /,
        *,
        key: str | None = None,
        match: Callable[[Message], Any] | None = None,
        timeout: Duration | None = None,
    ) -> Any:
        """Return a later message of a source; the attempt ends while there is none.

        Later than the message that the handler has got, and than the one that this wait gave
        before; it may have come before this call. It goes its ordinary routes too, and others
        may get it as well. In a coroutine handler it returns an awaitable.

        Args:
            event: A shell pattern, as in `App.on`.
            key: Only messages for which the source's `wait_key` gives this. Without it each
                message of the source wakes the handler, which is for tens of waiters.
            match: A function of the message; the first for which it is true is returned.
            timeout: Seconds from this call in the first attempt that makes it.

        Raises:
            WaitTimeout: None came in time.
            Suspended: There is none yet. It is no Exception; let it pass.
            InvalidInput: The source keeps no bodies (`keep_body_for`), or the call cannot be
                made here.
        """
        return self._sleeper("wait_for").events.wait_for(
            source, event, key=key, match=match, timeout=timeout
        )

    def wait_url(self, name: str, /) -> str:
        """Return the URL to which the answer for the next `wait` of this name is posted.

        Whoever has it may answer, once. It is the same in every attempt.

        Raises:
            InvalidInput: The app has no `url`.
        """
        return self._steps("wait_url").waits.url(name)

    def _steps(self, operation: str, *, inside: bool = False) -> Steps:
        """Return the steps, or refuse the call."""
        raise NotImplementedError

    def _sleeper(self, operation: str) -> Steps:
        """Return the steps, or refuse a call that may end the attempt."""
        raise NotImplementedError

    def _telling(self) -> AbstractContextManager[None]:
        """Note it when the block is left because the lease is lost."""
        raise NotImplementedError

    async def _told_of(self, step: Awaitable[Any]) -> Any:
        with self._telling():
            return await step
