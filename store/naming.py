"""The operation and the path in every error.

What checks an argument knows neither. So each public verb fills in, as an error leaves it,
what is not said yet: its own name, and the address of its store.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

from .errors import FencepostError

C = TypeVar("C", bound=type)
P = ParamSpec("P")
T = TypeVar("T")

# What they return is called with a function, and may refuse it.
_DECORATORS = ("on", "task", "every")


@contextmanager
def named(operation: str, path: str) -> Iterator[None]:
    """Have the errors of a block say these, unless they say others."""
    try:
        yield
    except FencepostError as error:
        _fill(error, operation, path)
        raise


def names_errors(operation: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Have the errors of a function say so, and its first argument as the store's address."""

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            try:
                return function(*args, **kwargs)
            except FencepostError as error:
                given = [*args, *kwargs.values()]
                _fill(error, operation, address(given[0] if given else ""))
                raise

        return call

    return decorate


def verbs(cls: C) -> C:
    """Have the errors of every public verb of a class name it, and its store.

    One that is a context manager does so itself, because it raises after it has returned.
    """
    for name, verb in list(vars(cls).items()):
        inner = inspect.unwrap(verb) if inspect.isfunction(verb) else None
        if inner is None or inspect.isgeneratorfunction(inner):
            continue
        if name == "__init__":
            setattr(cls, name, _naming(cls.__name__.lower(), verb))
        elif not name.startswith("_"):
            setattr(cls, name, _naming(name, verb))
    return cls


def _naming(operation: str, verb: Callable[..., Any]) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(verb):

        @functools.wraps(verb)
        async def later(self: Any, *args: Any, **kwargs: Any) -> Any:
            with named(operation, _store_of(self, args)):
                return await verb(self, *args, **kwargs)

        return later

    @functools.wraps(verb)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            result = verb(self, *args, **kwargs)
        except FencepostError as error:
            _fill(error, operation, _store_of(self, args))
            raise
        if operation in _DECORATORS and inspect.isfunction(result):
            return _naming_for(self, operation, result)
        return result

    return call


def _naming_for(owner: Any, operation: str, decorate: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(decorate)
    def call(*args: Any) -> Any:
        with named(operation, _store_of(owner, ())):
            return decorate(*args)

    return call


def _fill(error: FencepostError, operation: str, path: str) -> None:
    error.operation = error.operation or operation
    error.path = error.path or path


def _store_of(owner: Any, args: tuple[Any, ...]) -> str:
    """Return the address of what a verb belongs to, or was made with."""
    engine = getattr(owner, "_engine", None) or getattr(owner, "engine", None)
    store = getattr(owner, "store", None)
    engine = engine or getattr(store, "engine", None)
    for found in (engine, *args[:1]):
        where = getattr(getattr(found, "identity", None), "address", None)
        if isinstance(where, str):
            return where
    return address(store if store is not None and not callable(store) else next(iter(args), ""))


def address(target: object) -> str:
    """Return a store's address as it was given, but for secrets; also when it is none."""
    try:
        found = os.fspath(target)  # type: ignore[call-overload]
    except TypeError:
        return repr(target)
    return shown(found) if found and isinstance(found, str) else repr(target)


def shown(address: str) -> str:
    """Return an address without what may be secret in a URL: its user, password and query."""
    scheme, found, rest = address.partition("://")
    if not found:
        return address
    where, _, options = rest.partition("?")
    if where.startswith("/"):
        return f"{scheme}://{where}"
    if "@" not in where and "@" in options and "/" not in where:
        return f"{scheme}://..."  # "?" may be a part of the password
    return f"{scheme}://{where.rpartition('@')[2]}"
