"""From a handler's exception to the next attempt, its delay, or a dead letter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ...log.delivery_lines import place
from ...log.log import log
from ...store.errors import InvalidInput
from ...store.rules.failures.backoff import CHOSEN_MOST_MS, backoff_ms, chosen_backoff_ms, least_ms
from ...store.types.validate import Duration, error_text, milliseconds
from ..exceptions import Discard, Retry
from ..steps.errors import StepChanged

if TYPE_CHECKING:
    from .handler import Handler

Wait = Duration | Callable[[int], Duration]
Rules = Mapping[type[BaseException], Wait | None]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of an attempt whose handler raised.

    Attributes:
        retry_after: Seconds until the next attempt; None for a dead letter at once.
        error: The text that is stored with the delivery.
        expected: The handler raised Retry or Discard, so the log needs no traceback.
    """

    retry_after: float | None
    error: str
    expected: bool = False


def verdict(handler: Handler, error: BaseException, attempt: int) -> Verdict:
    """Decide by the rule for the most specific class of the error.

    The rules are `retry_on` and `discard_on` of the handler, `Retry` and `Discard`. This never
    raises. In an exception group each error is decided by itself, unless a rule names the
    group's class: a single discard makes the delivery dead, else the longest wait counts.
    After ten attempts without `max_attempts` the wait is at least 1 s.
    """
    found = _by_rule(handler, error, attempt)
    if found.retry_after is None:
        return found
    least = least_ms(attempt, handler.limits.max_attempts) / 1000
    return replace(found, retry_after=max(found.retry_after, least))


def leaves(error: BaseException) -> list[BaseException]:
    """Return the errors of an exception group and of the groups in it, or the one error."""
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    return [leaf for each in error.exceptions for leaf in leaves(each)]


def _by_rule(handler: Handler, error: BaseException, attempt: int) -> Verdict:
    for kind in type(error).__mro__:
        if issubclass(kind, BaseExceptionGroup) and kind in handler.rules:
            return _by_class(handler, error, attempt)
    found = [_by_class(handler, each, attempt) for each in leaves(error)]
    # One error that cannot be retried makes retrying the whole useless.
    final = [each for each in found if each.retry_after is None]
    waits = [each.retry_after for each in found if each.retry_after is not None]
    return Verdict(
        retry_after=None if final else max(waits),
        error=error_text("; ".join(each.error for each in final or found)),
        expected=all(each.expected for each in found),
    )


def _by_class(handler: Handler, error: BaseException, attempt: int) -> Verdict:
    for kind in type(error).__mro__:
        if kind in handler.rules:
            wait = handler.rules[kind]
            after = None if wait is None else _seconds(wait, handler, attempt)
            return Verdict(after, describe(error))
        if kind is Discard:
            return Verdict(None, error_text(error) or "discarded", expected=True)
        if kind is StepChanged:
            return Verdict(None, describe(error))
        if kind is Retry:
            return Verdict(_asked(error, handler, attempt), error_text(error), expected=True)
    return Verdict(backoff(handler, attempt), describe(error))


def backoff(handler: Handler, attempt: int) -> float:
    """Return the seconds to wait after an attempt has failed; the first attempt is 1."""
    if handler.backoff is None:
        return backoff_ms(attempt) / 1000
    if callable(handler.backoff):
        return _seconds(handler.backoff, handler, attempt)
    first_ms = milliseconds(handler.backoff, "backoff")
    return chosen_backoff_ms(attempt, first_ms) / 1000


def check_backoff(wait: Wait, what: str) -> Wait:
    """Return seconds that may be the first delay, or a function of the attempt."""
    if not callable(wait) and milliseconds(wait, what) > CHOSEN_MOST_MS:
        raise InvalidInput(
            f"{what} must be at most {CHOSEN_MOST_MS // 1000} s, not {wait!r}; for longer, give a function"
        )
    return _wait(wait, what)


def check_retry_on(value: object, what: str) -> dict[type[BaseException], Wait]:
    """Return exception classes, each with seconds or a function of the attempt."""
    if not isinstance(value, Mapping):
        raise InvalidInput(f"{what} must map exception classes to seconds, not {value!r}")
    return {
        _exception(kind, what): _wait(wait, f"{what}[{getattr(kind, '__name__', kind)}]")
        for kind, wait in value.items()
    }


def check_discard_on(value: object, what: str) -> tuple[type[BaseException], ...]:
    """Return exception classes."""
    if not isinstance(value, Iterable):
        raise InvalidInput(f"{what} must be exception classes, not {value!r}")
    return tuple(_exception(kind, what) for kind in value)


def _wait(wait: Wait, what: str) -> Wait:
    return wait if callable(wait) else milliseconds(wait, what) / 1000


def describe(error: BaseException) -> str:
    """Return an error as text, with the line of the handler's code that raised it."""
    at = place(error)
    return f"{type(error).__name__}: {error_text(error)}{f' ({at})' if at else ''}"


def _asked(error: BaseException, handler: Handler, attempt: int) -> float:
    try:
        asked = getattr(error, "after", None)  # a subclass may have forgotten to set it
    except BaseException as wrong:  # noqa: BLE001 - or made it a property that raises
        log.error(
            "not a number of seconds: the default delay is used", queue=handler.name, exc_info=wrong
        )
        asked = None
    return backoff(handler, attempt) if asked is None else _seconds(asked, handler, attempt)


def _seconds(wait: Wait, handler: Handler, attempt: int) -> float:
    try:
        seconds = wait(attempt) if callable(wait) else wait
        return milliseconds(seconds, "a delay") / 1000
    except BaseException as error:  # noqa: BLE001 - the delivery needs an outcome in any case
        log.error(
            "not a number of seconds: the default delay is used", queue=handler.name, exc_info=error
        )
        return backoff_ms(attempt) / 1000


def _exception(kind: Any, what: str) -> type[BaseException]:
    if not isinstance(kind, type) or not issubclass(kind, BaseException):
        raise InvalidInput(f"{what} takes exception classes, not {kind!r}")
    return kind
