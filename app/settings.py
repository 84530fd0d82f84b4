"""The settings of a handler, each with its type, meaning, default and check."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Annotated, Any, Literal, TypedDict, get_type_hints

from msgspec import UNSET, UnsetType

from ..store.errors import InvalidInput
from ..store.types.messages.limits import DEFAULT_MAX_CRASHES, DEFAULT_RETRY_FOR_MS
from ..store.types.validate import Duration, cap, count, milliseconds
from .handlers.failures import Wait, check_backoff, check_discard_on, check_retry_on
from .joins import settings as joins
from .joins.settings import Lane

DEFAULT_CONCURRENCY = 10
_MOST_CONCURRENCY = 1000

# Slack and Discord wait 3 s for an answer.
DEFAULT_WITHIN = 2.5
_MOST_WITHIN = 60


class Settings(TypedDict, total=False):
    """The settings that `App.on`, `App.task` and `App.command` take, and what each means."""

    max_attempts: int | None
    """A delivery is dead after this many failed attempts; by default no limit. This and
    `retry_for` replace the limits given to enqueue."""

    retry_for: Duration
    """A failure this many seconds after the first attempt makes the delivery dead; by default
    3 days. The limit that is reached first counts."""

    backoff: Wait
    """Seconds to wait after the first failure. The wait doubles with each failure, up to 1 h,
    and the actual wait is random, at least half of it. Or a function from the attempt that failed
    (the first is 1) to seconds, which are waited exactly. By default up to 1 s, 2 s, 4 s … 55
    minutes, so that the first ten attempts happen within 15 minutes."""

    retry_on: Mapping[type[BaseException], Wait]
    """Exception classes, each with seconds or a function like `backoff`."""

    discard_on: Iterable[type[BaseException]]
    """Exception classes that make the delivery dead at once. If several classes fit, here and in
    `retry_on`, the most specific counts."""

    timeout: Duration | None
    """Seconds after which the worker is killed and the delivery retried."""

    soft_timeout: Duration | None
    """Seconds after which the handler is interrupted; less than `timeout`."""

    at_most_once: bool
    """True allows one attempt only, however it ends."""

    max_crashes: int
    """A delivery is dead after it has crashed this many workers; by default 3."""

    concurrency: int
    """For a coroutine function, how many deliveries one worker runs at the same time; by default
    10."""

    prefetch: int | None
    """For a function that is no coroutine function, how many deliveries a worker claims at once
    at most. By default as many as it handles in about 20 ms, up to 250; 1 claims one at a
    time. With `max_leased`, `at_most_once` or `max_attempts=1` it is always 1."""

    max_leased: int | None
    """How many deliveries run at the same time in all pools together."""

    max_rows: int | None
    """The cap on the queue's deliveries, as in `Store.queue`. At the cap the receiver answers 503
    and stores nothing."""

    max_bytes: int | None
    """The cap on the bytes of their bodies, likewise."""

    keep_body_for: Duration
    """Seconds for which a message's body is kept once all its deliveries are done; by default 0.
    If the source and several handlers set it, the longest counts."""

    coalesce: Lane | Literal[True]
    """A function from a message to its key. The handler gets a list of messages, `handler(messages,
    ctx)`: those of one key that arrive within the window, oldest first. Calls of one key are made
    one after the other. True: the key is the `lane` that enqueue was given."""

    window: Duration
    """Seconds that the first message of a key waits for others; by default 5."""

    most: int
    """How many messages a call has at most; by default 500. The window ends when they are there."""

    debounce: bool
    """True begins the window anew with each message of the key, until the first has waited ten
    windows."""

    latest_only: bool
    """True hands over the newest message of a call alone. When it is done or dead, the others are
    cancelled, superseded by it."""

    respond: bool
    """True puts what the handler returns into the answer to the request, as JSON, if it is
    committed in time. Else the sender gets the source's usual answer."""

    within: Duration
    """With `respond`, how many seconds after the request; by default 2.5, at most 60."""


def _seconds(value: Any, what: str) -> float:
    return milliseconds(value, what) / 1000


def _time_limit(value: Any, what: str) -> float:
    return milliseconds(value, what, least=1) / 1000


def _concurrency(value: Any, what: str) -> int:
    return count(value, what, most=_MOST_CONCURRENCY)


def _within(value: Any, what: str) -> float:
    if (seconds := _time_limit(value, what)) > _MOST_WITHIN:
        raise InvalidInput(f"{what} must be at most {_MOST_WITHIN} s, not {value!r}")
    return seconds


def _flag(value: Any, what: str) -> bool:
    return bool(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedSettings:
    """The settings of one handler: type, check and default of each. Times are seconds.

    UNSET stands for a value that the store remembers: leaving the setting out keeps the last one.
    """

    max_attempts: Annotated[int | None, count] = None
    retry_for: Annotated[float, _seconds] = DEFAULT_RETRY_FOR_MS / 1000
    backoff: Annotated[Wait | None, check_backoff] = None
    retry_on: Annotated[Mapping[type[BaseException], Wait], check_retry_on] = field(
        default_factory=dict
    )
    discard_on: Annotated[tuple[type[BaseException], ...], check_discard_on] = ()
    timeout: Annotated[float | None, _time_limit] = None
    soft_timeout: Annotated[float | None, _time_limit] = None
    at_most_once: Annotated[bool, _flag] = False
    max_crashes: Annotated[int, count] = DEFAULT_MAX_CRASHES
    concurrency: Annotated[int, _concurrency] = 1
    prefetch: Annotated[int | None, count] = None
    max_leased: Annotated[int | UnsetType | None, cap] = UNSET
    max_rows: Annotated[int | UnsetType | None, cap] = UNSET
    max_bytes: Annotated[int | UnsetType | None, cap] = UNSET
    keep_body_for: Annotated[float | UnsetType, _seconds] = UNSET
    coalesce: Annotated[Lane | bool | None, joins.coalesce] = None
    window: Annotated[float, _seconds] = joins.DEFAULT_WINDOW
    most: Annotated[int, joins.most] = joins.DEFAULT_MOST
    debounce: Annotated[bool, _flag] = False
    latest_only: Annotated[bool, _flag] = False
    respond: Annotated[bool, _flag] = False
    within: Annotated[float, _within] = DEFAULT_WITHIN


_CHECKS: dict[str, Callable[[Any, str], Any]] = {
    name: hint.__metadata__[0]
    for name, hint in get_type_hints(CheckedSettings, include_extras=True).items()
}


def check_settings(given: Settings, *, is_async: bool, durable: bool) -> dict[str, Any]:
    """Return the settings as CheckedSettings takes them.

    Args:
        is_async: The handler is a coroutine function.
        durable: A commit of the store survives a power loss.

    Raises:
        TypeError: There is no such setting.
        InvalidInput: A value is not usable, or two of them cannot be combined.
    """
    settings: dict[str, Any] = {"concurrency": DEFAULT_CONCURRENCY} if is_async else {}
    defaults = {each.name: each.default for each in fields(CheckedSettings)}
    for name, value in given.items():
        if name not in _CHECKS:
            raise TypeError(f"a handler has no setting {name!r}; it has {', '.join(_CHECKS)}")
        if value is None and defaults[name] is not UNSET:
            continue  # as if left out
        settings[name] = _CHECKS[name](value, name)
    if settings.get("at_most_once"):
        _check_at_most_once(settings, durable)
        settings |= {"max_attempts": 1, "max_crashes": 1}
    if "concurrency" in given and given["concurrency"] is not None and not is_async:
        raise InvalidInput("concurrency is for coroutine functions; for others start more workers")
    if is_async and settings.get("prefetch") is not None:
        raise InvalidInput("prefetch is for plain functions; coroutine functions have concurrency")
    if "within" in settings and not settings.get("respond"):
        raise InvalidInput("within is for handlers with respond=True")
    hard, soft = settings.get("timeout"), settings.get("soft_timeout")
    if hard is not None and soft is not None and soft >= hard:
        raise InvalidInput(
            f"soft_timeout must be below timeout: {soft:g} s is not below {hard:g} s"
        )
    joins.check_joins(given, settings)
    for kind in settings.get("retry_on", ()):
        if kind in settings.get("discard_on", ()):
            raise InvalidInput(f"{kind.__name__} is in both discard_on and retry_on")
    return settings


def _check_at_most_once(settings: Mapping[str, Any], durable: bool) -> None:
    if not durable:
        raise InvalidInput(
            'at_most_once needs durability="full": a power loss could take the claim back'
        )
    refused = {name for name in ("retry_for", "backoff", "retry_on") if name in settings}
    refused |= {name for name in ("max_attempts", "max_crashes") if settings.get(name, 1) != 1}
    if refused:
        wrong = ", ".join(name for name in Settings.__annotations__ if name in refused)
        raise InvalidInput(f"at_most_once cannot be combined with {wrong}")
