"""A handler: the function that works on one queue, and its settings."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Unpack, cast

from ...store import Message, Store
from ...store.errors import InvalidInput
from ...store.types.messages.death import DEATHS
from ...store.types.messages.draft import Join
from ...store.types.messages.limits import Limits
from ...store.types.validate import name
from ..context import Context
from ..functions import codes, is_async
from ..joins.calling import AsyncJoining, Joining
from ..joins.settings import join
from ..settings import CheckedSettings, Settings, check_settings
from .failures import Rules

Function = Callable[[Message, Context], Any]

# With `coalesce`.
GroupFunction = Callable[[list[Message], Context], Any]

AnyFunction = Function | GroupFunction


@dataclass(frozen=True, slots=True, kw_only=True)
class Handler(CheckedSettings):
    """One handler; its name is its queue's.

    Attributes:
        limits: The settings that the store has to know.
        rules: `retry_on` and `discard_on` in one: a wait, or None for a dead letter.
        join: How its messages wait for others, None if they do not.
    """

    name: str
    function: Function
    limits: Limits = field(init=False)
    rules: Rules = field(init=False)
    join: Join | None = field(init=False)

    def __post_init__(self) -> None:
        limits = Limits(
            max_attempts=self.max_attempts,
            retry_for_ms=round(self.retry_for * 1000),
            max_crashes=self.max_crashes,
            at_most_once=self.at_most_once,
        )
        rules: Rules = {**dict.fromkeys(self.discard_on), **dict(self.retry_on)}
        object.__setattr__(self, "limits", limits)
        object.__setattr__(self, "rules", rules)
        object.__setattr__(self, "join", join(self))

    @property
    def takes_one(self) -> bool:
        """True when its deliveries must not be claimed before they can be handled.

        Of a pool that dies as a whole nobody knows what it had begun: all it held counts as
        attempted, and the only attempt of what had not begun would be over. A call that joins
        has many of them already.
        """
        return self.at_most_once or self.max_attempts == 1 or self.coalesce is not None

    @property
    def is_async(self) -> bool:
        """True when calling the function returns a coroutine."""
        return is_async(self.function)


def make_handler(
    function: AnyFunction,
    *,
    queue: str | None,
    durable: bool,
    **settings: Unpack[Settings],
) -> Handler:
    """Return a handler, named after its function when `queue` is None.

    Args:
        durable: A commit of its store survives a power loss.

    Raises:
        TypeError: There is no such setting.
        InvalidInput: The function cannot be called with (message, ctx), has no usable name, or
            a setting is not usable.
    """
    own_name = _check(function, queue)
    checked = check_settings(settings, is_async=is_async(function), durable=durable)
    if "coalesce" in checked:
        function = (AsyncJoining if is_async(function) else Joining)(
            cast(GroupFunction, function), checked.get("latest_only", False)
        )
    return Handler(
        name=name(queue if queue is not None else own_name, "a handler's name"),
        function=cast(Function, function),
        **checked,
    )


def _check(function: AnyFunction, queue: str | None) -> str:
    """Check that a function can be a handler; return its name."""
    if not callable(function):
        raise InvalidInput(f"a handler must be a function, not {function!r}")
    own_name: str = getattr(function, "__name__", type(function).__name__)
    if any(
        inspect.isgeneratorfunction(c) or inspect.isasyncgenfunction(c) for c in codes(function)
    ):
        raise InvalidInput(f"{own_name} is a generator; a handler is a function, async or not")
    if queue is None and own_name == "<lambda>":
        raise InvalidInput("a lambda has no name for its queue; give name=")
    try:
        inspect.signature(function).bind(None, None)
    except TypeError as error:
        raise InvalidInput(f"{own_name} must take (message, ctx): {error}") from error
    except ValueError:
        pass  # a built-in without a signature: the first call shows whether it fits
    return own_name


def set_caps(store: Store, handlers: Iterable[Handler]) -> None:
    """Record the caps of the handlers' queues, and whether `on_dead` is called for their deaths."""
    handlers = list(handlers)
    tells = any(handler.name == DEATHS for handler in handlers)
    store.engine.queue.tell_deaths({each.name: tells for each in handlers if each.name != DEATHS})
    for handler in handlers:
        store.queue(
            handler.name,
            max_rows=handler.max_rows,
            max_bytes=handler.max_bytes,
            max_leased=handler.max_leased,
            keep_body_for=handler.keep_body_for,
        )
