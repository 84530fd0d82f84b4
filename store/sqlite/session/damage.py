"""Damaged rows: any error that they cause becomes StoreCorrupt.

A flipped bit gives a column another type, text no encoding, an index an entry without a row
or a row no entry. SQLite notices some of it and hands out the rest. So no verb trusts what it
has read: what it cannot make sense of is told as damage, and not as the error that it ran into.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, TypeVar, cast

from ...errors import FencepostError, StoreCorrupt

C = TypeVar("C", bound=type)
F = TypeVar("F", bound=Callable[..., Any])

# What code of the store runs into that takes a row for what the schema says.
STUMBLES = (TypeError, ValueError, LookupError, AttributeError, AssertionError)

_CALLING_BACK: set[Callable[..., Any]] = set()

_STORE = __name__.rpartition(".sqlite")[0]
_READERS = ("json", "json.decoder")


def corrupt(path: str, operation: str, what: object) -> StoreCorrupt:
    """Return the error for a store in which something is that cannot be."""
    said = "; ".join(str(what).split("\n"))
    return StoreCorrupt(
        f"{path} is damaged: {said}; run `fencepost doctor`", operation=operation, path=path
    )


@contextmanager
def told(path: str, operation: str) -> Iterator[None]:
    """Raise StoreCorrupt for what the store's own code stumbles over in the block.

    What a caller's code raises passes as it is, and so does what a signal's handler raises.
    """
    try:
        yield
    except FencepostError:
        raise
    except STUMBLES as error:
        if (damage := _as_damage(error, path, operation)) is None:
            raise
        raise damage from error


def tells(cls: C) -> C:
    """Have every verb of a part of the engine tell damage as StoreCorrupt.

    Not those in whose middle the caller's code runs: they are context managers, or marked.
    """
    for name, verb in list(vars(cls).items()):
        inner = inspect.unwrap(verb) if inspect.isfunction(verb) else None
        if inner is None or inner in _CALLING_BACK:
            continue
        if not name.startswith("_") and not inspect.isgeneratorfunction(inner):
            setattr(cls, name, _telling(name, verb))
    return cls


def calls_back(verb: F) -> F:
    """Mark a verb that calls a function of the caller's, whose errors are its own."""
    _CALLING_BACK.add(verb)
    return verb


def tells_as(name: str) -> Callable[[F], F]:
    """Have a method of something with a session tell damage, as an operation of this name."""

    def wrap(verb: F) -> F:
        return cast("F", _telling(name, verb))

    return wrap


def _telling(name: str, verb: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(verb)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return verb(self, *args, **kwargs)
        except FencepostError:
            raise
        except STUMBLES as error:
            if (damage := _as_damage(error, self._session.path, name)) is None:
                raise
            raise damage from error

    return call


def _as_damage(error: Exception, path: str, operation: str) -> StoreCorrupt | None:
    # What cannot be encoded is an argument: what is read is decoded.
    if isinstance(error, UnicodeEncodeError) or not _is_ours(error.__traceback__):
        return None
    said = " ".join(str(error).split())
    return corrupt(path, operation, f"a row cannot be what it is ({said})")


def _is_ours(traceback: TracebackType | None) -> bool:
    """True when the innermost frame is the store's, or of what it reads JSON with."""
    name = ""
    while traceback is not None:
        name = traceback.tb_frame.f_globals.get("__name__", "")
        traceback = traceback.tb_next
    return name.startswith(_STORE) or name in _READERS
