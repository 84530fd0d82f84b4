"""A handler: the function that does the work of one queue, and how its failures are met."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypedDict

from msgspec import UNSET, UnsetType

from ..store import Message, Store
from ..store.errors import InvalidInput
from ..store.types.message import DEATHS, DEFAULT_MAX_CRASHES, DEFAULT_RETRY_FOR_MS, Address, Limits
from ..store.types.validate import Duration, cap, count, milliseconds, name
from .context import Context
from .failures import Rules, Wait, check_backoff, check_rules

if TYPE_CHECKING:
    from .hooks import Hooks

Function = Callable[[Message, Context], Any]

DEFAULT_CONCURRENCY = 10
_MOST_CONCURRENCY = 1000


class Settings(TypedDict, total=False):
    """What `App.on` and `App.task` both take; what each means stands there."""

    max_attempts: int | None
    retry_for: Duration
    backoff: Wait
    retry_on: Mapping[type[BaseException], Wait]
    discard_on: Iterable[type[BaseException]]
    timeout: Duration | None
    soft_timeout: Duration | None
    at_most_once: bool
    max_crashes: int
    concurrency: int
    max_leased: int | None
    max_rows: int | None
    max_bytes: int | None
    keep_body_for: Duration


@dataclass(frozen=True, slots=True)
class Handler:
    """One handler; its name is its queue's. What it is set to is checked: see `App.task`.

    Attributes:
        rules: What follows from an exception of a class: a wait, or None for a dead letter.
        backoff: None for the default.
        concurrency: 1 for a plain function.
    """

    name: str
    function: Function
    limits: Limits
    backoff: Wait | None = None
    rules: Rules = field(default_factory=dict)
    timeout: float | None = None
    soft_timeout: float | None = None
    at_most_once: bool = False
    concurrency: int = 1
    max_rows: int | UnsetType | None = UNSET
    max_bytes: int | UnsetType | None = UNSET
    max_leased: int | UnsetType | None = UNSET
    keep_body_for: Duration | UnsetType = UNSET

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

    @property
    def hooks(self) -> Hooks:
        """What it has called in each worker beside its handlers."""
        ...

    def check(self) -> None:
        """Raise InvalidInput when it makes no sense as a whole."""
        ...

    @property
    def sources(self) -> Mapping[str, object]:
        """The sources whose messages it routes, by name."""
        ...

    def addresses(self, message: Message) -> Sequence[Address]:
        """Return where a message of one of its sources goes."""
        ...


def make_handler(
    function: Function,
    *,
    queue: str | None,
    durable: bool,
    max_attempts: int | None = None,
    retry_for: Duration | None = None,
    backoff: Wait | None = None,
    retry_on: Mapping[type[BaseException], Wait] | None = None,
    discard_on: Iterable[type[BaseException]] = (),
    timeout: Duration | None = None,
    soft_timeout: Duration | None = None,
    at_most_once: bool = False,
    max_crashes: int | None = None,
    concurrency: int | None = None,
    max_leased: int | UnsetType | None = UNSET,
    max_rows: int | UnsetType | None = UNSET,
    max_bytes: int | UnsetType | None = UNSET,
    keep_body_for: Duration | UnsetType = UNSET,
) -> Handler:
    """Return a handler, named after its function when `queue` is None.

    Args:
        durable: A commit of its store survives a power loss.

    Raises:
        InvalidInput: It cannot be called as handler(message, ctx), has no usable name, or
            its settings make no sense.
    """
    own_name = _check(function, queue)
    if at_most_once:
        _check_once(durable, max_attempts, retry_for, backoff, retry_on, max_crashes)
        max_attempts = max_crashes = 1
    hard, soft = _seconds(timeout, "timeout"), _seconds(soft_timeout, "soft_timeout")
    if hard is not None and soft is not None and soft >= hard:
        raise InvalidInput(
            f"soft_timeout must be below timeout: {soft:g} s is not below {hard:g} s"
        )
    if concurrency is not None and not is_async(function):
        raise InvalidInput("concurrency is for coroutine functions; for others start more workers")
    default_concurrency = DEFAULT_CONCURRENCY if is_async(function) else 1
    return Handler(
        name=name(queue if queue is not None else own_name, "a handler's name"),
        function=function,
        limits=Limits(
            None if max_attempts is None else count(max_attempts, "max_attempts"),
            DEFAULT_RETRY_FOR_MS if retry_for is None else milliseconds(retry_for, "retry_for"),
            count(_or(max_crashes, DEFAULT_MAX_CRASHES), "max_crashes"),
            bool(at_most_once),
        ),
        backoff=check_backoff(backoff),
        rules=check_rules(discard_on, {} if retry_on is None else retry_on),
        timeout=hard,
        soft_timeout=soft,
        at_most_once=bool(at_most_once),
        concurrency=count(
            _or(concurrency, default_concurrency), "concurrency", most=_MOST_CONCURRENCY
        ),
        max_rows=cap(max_rows, "max_rows"),
        max_bytes=cap(max_bytes, "max_bytes"),
        max_leased=cap(max_leased, "max_leased"),
        keep_body_for=_kept(keep_body_for),
    )


def is_async(function: Function) -> bool:
    """True for a coroutine function, and for an object that is called like one."""
    return any(map(inspect.iscoroutinefunction, _codes(function)))


def _codes(function: Function) -> tuple[object, object]:
    return function, getattr(function, "__call__", None)  # noqa: B004 - also of objects


def _check(function: Function, queue: str | None) -> str:
    """Return a function's own name."""
    if not callable(function):
        raise InvalidInput(f"a handler must be a function, not {function!r}")
    own_name: str = getattr(function, "__name__", type(function).__name__)
    if any(
        inspect.isgeneratorfunction(c) or inspect.isasyncgenfunction(c) for c in _codes(function)
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
    return own_name


def _check_once(
    durable: bool,
    max_attempts: int | None,
    retry_for: Duration | None,
    backoff: Wait | None,
    retry_on: Mapping[type[BaseException], Wait] | None,
    max_crashes: int | None,
) -> None:
    """Refuse what at_most_once cannot be together with."""
    if not durable:
        raise InvalidInput(
            'at_most_once needs durability="full": a power loss could take the claim back'
        )
    refused = {
        "max_attempts": max_attempts not in (None, 1),
        "retry_for": retry_for is not None,
        "backoff": backoff is not None,
        "retry_on": retry_on is not None,
        "max_crashes": max_crashes not in (None, 1),
    }
    if wrong := [name for name, given in refused.items() if given]:
        raise InvalidInput(f"at_most_once cannot be combined with {', '.join(wrong)}")


def _seconds(timeout: Duration | None, what: str) -> float | None:
    return None if timeout is None else milliseconds(timeout, what, least=1) / 1000


def _kept(keep_body_for: Duration | UnsetType) -> Duration | UnsetType:
    if keep_body_for is UNSET:
        return UNSET
    return milliseconds(keep_body_for, "keep_body_for") / 1000


def _or(given: int | None, default: int) -> int:
    return default if given is None else given


def set_caps(store: Store, handlers: Iterable[Handler]) -> None:
    """Record the caps that handlers give their queues, and whether deaths there are told."""
    handlers = list(handlers)
    tells = any(handler.name == DEATHS for handler in handlers)
    store.engine.tell_deaths({each.name: tells for each in handlers if each.name != DEATHS})
    for handler in handlers:
        store.queue(
            handler.name,
            max_rows=handler.max_rows,
            max_bytes=handler.max_bytes,
            max_leased=handler.max_leased,
            keep_body_for=handler.keep_body_for,
        )
