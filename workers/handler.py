"""A handler: the function that does the work of one queue, and how its failures are met."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from msgspec import UNSET, UnsetType

from ..store import Message, Store
from ..store.errors import InvalidInput
from ..store.message import Limits
from ..store.validate import Duration, cap, count, milliseconds, name
from .context import Context

Function = Callable[[Message, Context], Any]

DEFAULT_MAX_CRASHES = 3
DEFAULT_CONCURRENCY = 10


@dataclass(frozen=True, slots=True)
class Handler:
    """One handler; its name is its queue's.

    Attributes:
        limits: When a delivery that fails is dead.
        timeout: Seconds after which the worker process is killed, and the delivery tried
            again; None for never.
        soft_timeout: Seconds after which the handler is interrupted; less than `timeout`.
        at_most_once: An attempt that was begun is the only one, however it ends.
        concurrency: How many deliveries one worker has in work; 1 for a plain function.
        max_crashes: Worker processes that it may take with it before it is dead.
        max_rows, max_bytes, max_leased: The caps of its queue, as in `Store.queue`.
    """

    name: str
    function: Function
    limits: Limits
    timeout: float | None = None
    soft_timeout: float | None = None
    at_most_once: bool = False
    concurrency: int = 1
    max_crashes: int = DEFAULT_MAX_CRASHES
    max_rows: int | UnsetType | None = UNSET
    max_bytes: int | UnsetType | None = UNSET
    max_leased: int | UnsetType | None = UNSET

    @property
    def is_async(self) -> bool:
        """True when a call makes a coroutine."""
        return is_async(self.function)


class Application(Protocol):
    """What a worker process needs of an app."""

    @property
    def store(self) -> str:
        """The address of its store."""
        ...

    @property
    def store_options(self) -> Mapping[str, Any]:
        """Further arguments of `connect`."""
        ...

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """Its handlers by name."""
        ...


def make_handler(
    function: Function,
    *,
    queue: str | None,
    max_attempts: int,
    retry_for: Duration,
    timeout: Duration | None,
    max_rows: int | UnsetType | None,
    max_bytes: int | UnsetType | None,
) -> Handler:
    """Return a handler, named after its function when `queue` is None.

    Raises:
        InvalidInput: It cannot be called as handler(message, ctx), or has no usable name.
    """
    if not callable(function):
        raise InvalidInput(f"a handler must be a function, not {function!r}")
    own_name = getattr(function, "__name__", type(function).__name__)
    if any(map(inspect.isgeneratorfunction, _codes(function))) or any(
        map(inspect.isasyncgenfunction, _codes(function))
    ):
        raise InvalidInput(f"{own_name} is a generator; a handler is a function, async or not")
    if queue is None and own_name == "<lambda>":
        raise InvalidInput("a lambda has no name for its queue; give name=")
    try:
        inspect.signature(function).bind(None, None)
    except TypeError as error:
        raise InvalidInput(f"{own_name} must take (message, ctx): {error}") from error
    except ValueError:
        pass  # a built-in without a signature: the first call will tell
    return Handler(
        name=name(queue if queue is not None else own_name, "a handler's name"),
        function=function,
        limits=Limits(count(max_attempts, "max_attempts"), milliseconds(retry_for, "retry_for")),
        timeout=None if timeout is None else milliseconds(timeout, "timeout", least=1) / 1000,
        concurrency=DEFAULT_CONCURRENCY if is_async(function) else 1,
        max_rows=cap(max_rows, "max_rows"),
        max_bytes=cap(max_bytes, "max_bytes"),
    )


def is_async(function: Function) -> bool:
    """True for a coroutine function, and for an object that is called like one."""
    return any(map(inspect.iscoroutinefunction, _codes(function)))


def _codes(function: Function) -> tuple[object, object]:
    return function, getattr(function, "__call__", None)  # noqa: B004 - also of objects


def set_caps(store: Store, handlers: Iterable[Handler]) -> None:
    """Record the caps that handlers give their queues."""
    for handler in handlers:
        store.queue(handler.name, max_rows=handler.max_rows, max_bytes=handler.max_bytes)
