"""on_dead: a queue with a message for each new dead letter; its handler calls the app."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ...store import Message, Store
from ...store.errors import InvalidInput
from ...store.types.messages.death import DEATHS
from ..context import Context
from ..exceptions import Discard
from ..functions import is_async
from .handler import Handler, make_handler

_MOST_CALLS = 10


@dataclass(frozen=True, slots=True)
class DeadContext:
    """The second argument of an `on_dead` function.

    Attributes:
        queue: The queue of the delivery.
        error: The error of its last attempt.
        attempt: The number of attempts; 0 for a delivery that was dead from the start.
        delivery: The id of the delivery, for `fencepost messages show`.
        store: The open store.
    """

    queue: str
    error: str | None
    attempt: int
    delivery: int
    store: Store


def dead_handler(functions: Sequence[Callable[..., Any]]) -> Handler:
    """Return the handler that calls these functions."""
    caller = AsyncCaller(functions) if any(map(is_async, functions)) else Caller(functions)
    return make_handler(caller, queue=DEATHS, durable=True, max_attempts=_MOST_CALLS)


def checked_for_dead(function: Any) -> Any:
    """Check that a function takes a message and a context, and return it."""
    make_handler(function, queue=DEATHS, durable=True)
    return function


@dataclass(frozen=True, slots=True)
class Caller:
    """Calls functions that are not coroutine functions."""

    functions: Sequence[Callable[..., Any]]

    def __call__(self, message: Message, ctx: Context) -> None:
        dead, context = _dead(message, ctx)
        for function in self.functions:
            function(dead, context)


@dataclass(frozen=True, slots=True)
class AsyncCaller:
    """Calls functions, some of which are coroutine functions."""

    functions: Sequence[Callable[..., Any]]

    async def __call__(self, message: Message, ctx: Context) -> None:
        dead, context = _dead(message, ctx)
        for function in self.functions:
            result = function(dead, context)
            if inspect.isawaitable(result):
                await result


def _dead(message: Message, ctx: Context) -> tuple[Message, DeadContext]:
    """Return the message of a dead delivery, and its context.

    Raises:
        Discard: The delivery has been deleted.
    """
    told = message.json()
    id = told["delivery"]
    delivery, content = ctx.store.delivery(id), ctx.store.content(id)
    if delivery is None or content is None:
        raise Discard(f"delivery {id} was deleted before on_dead was called")
    if not isinstance(told["queue"], str):
        raise InvalidInput("the body is not a call to on_dead: another program enqueued it")
    dead = Message(
        id=delivery.message_id,
        source=delivery.source,
        key=delivery.key,
        event=delivery.event,
        headers=content.headers,
        body=content.body or b"",
        received_at=delivery.received_at,
        copy_of=content.copy_of,
    )
    return dead, DeadContext(told["queue"], told["error"], told["attempt"], id, ctx.store)
