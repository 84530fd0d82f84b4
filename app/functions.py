"""Functions of a message that an app gives: they answer when they are called."""

from __future__ import annotations

import inspect
from typing import Any

from ..store.errors import InvalidInput


def is_async(function: object) -> bool:
    """True for a coroutine function, and for an object whose `__call__` is one."""
    return any(map(inspect.iscoroutinefunction, codes(function)))


def codes(function: object) -> tuple[object, object]:
    """Return what may be called when a function is."""
    return function, getattr(function, "__call__", None)  # noqa: B004 - also of objects


def of_message(function: object, what: str) -> Any:
    """Return a function of a message.

    Raises:
        InvalidInput: It is none, or a coroutine function, whose answer nobody would await.
    """
    if not callable(function):
        raise InvalidInput(f"{what} must be a function of the message, not {function!r}")
    if is_async(function):
        raise InvalidInput(f"{what} must be a plain function of the message, not a coroutine")
    return function
