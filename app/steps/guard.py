"""Where a handler may step, sleep and wait, and where not."""

from __future__ import annotations

import asyncio
import contextvars
import re
import threading
import weakref
from typing import Any, NamedTuple

from ...store.engine import Engine
from ...store.errors import InvalidInput
from .journal import Journal


class Inside(NamedTuple):
    """The step whose function runs.

    Attributes:
        counts: What it counts, which is written with its record; None if it must not.
    """

    name: str
    occurrence: int
    counts: dict[str, int] | None = None


# Control characters, line breaks, and halves of surrogate pairs, which are no text for a file.
_NO_NAME = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

# A task that a step's function has started is inside the step as well.
inside: contextvars.ContextVar[Inside | None] = contextvars.ContextVar("inside", default=None)


class Guard:
    """Refuses calls of `ctx` that could not be replayed in a later attempt."""

    def __init__(self, journal: Journal, engine: Engine, thread: int) -> None:
        """`thread` is the handler's."""
        self._journal = journal
        self._engine = engine
        self._thread = thread
        self._owners: dict[str, weakref.ref[asyncio.Task[Any]]] = {}

    def check(self, operation: str) -> None:
        """Refuse a call that must not be made here, or not any more.

        Raises:
            InvalidInput: It is made within a step, a transaction or another thread.
            BaseException: What the attempt ends with, once more.
        """
        if threading.get_ident() != self._thread:
            raise InvalidInput(f"ctx.{operation} in another thread than the handler's")
        if self._journal.stuck is not None:
            raise self._journal.stuck
        if (step := inside.get()) is not None:
            raise InvalidInput(f"ctx.{operation} within step {step.name!r}", operation=operation)
        if self._engine.transactions.is_open():
            raise InvalidInput(
                f"ctx.{operation} within a transaction: for writes and a record in one commit,"
                " use ctx.step(..., in_transaction=True)",
                operation=operation,
            )

    def counts(self, outside: dict[str, int]) -> dict[str, int]:
        """Return where a count belongs that is made now: to the step that runs, or outside."""
        if self._journal.stuck is not None:
            raise self._journal.stuck
        if (step := inside.get()) is None:
            return outside
        if step.counts is None:
            raise InvalidInput(
                f"ctx.count within step {step.name!r}, which a later attempt does not call:"
                " count after it, or use in_transaction=True"
            )
        return step.counts

    def name(self, name: object) -> asyncio.Task[Any] | None:
        """Check the name of a step, and take it for the running task; return that."""
        check_name(name)
        task = current_task()
        self._own(str(name), task)
        return task

    def _own(self, name: str, task: asyncio.Task[Any] | None) -> None:
        """Refuse a name that another task uses: their occurrences would depend on the timing."""
        if task is None:
            return
        owner = self._owners[name]() if name in self._owners else None
        if owner is not None and owner is not task and not owner.done():
            raise InvalidInput(
                f"two tasks ask for step {name!r} at a time: give each a name of its own",
                operation="step",
            )
        self._owners[name] = weakref.ref(task)


def check_name(name: object) -> None:
    """Refuse what cannot be the name of a step."""
    if not isinstance(name, str) or not 1 <= len(name) <= 200 or _NO_NAME.search(name):
        raise InvalidInput(
            f"a step's name has 1 to 200 characters and no control characters, not {name!r}"
        )


def current_task() -> asyncio.Task[Any] | None:
    """Return the running task, None in code that is not run by an event loop."""
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None
