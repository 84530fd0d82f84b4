"""Functions that run once per key, and return the first result to every later call."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable
from contextlib import suppress
from typing import ParamSpec, TypeVar

from .claim import encode_result
from .engine import Engine
from .errors import FencepostError, InvalidInput, LeaseHeld
from .naming import named
from .once import Once
from .renewal import insist, renewing
from .rules.lease_timing import LEAST_RENEWED_MS
from .types import validate
from .types.validate import Duration

_P = ParamSpec("_P")
_R = TypeVar("_R")


def idempotent(
    engine: Engine,
    namespace: str,
    *,
    key: Callable[..., str | None],
    lease: Duration,
    keep_for: Duration,
    payload: Callable[..., bytes] | None,
) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """See Store.idempotent."""
    validate.name(namespace, "namespace")
    validate.milliseconds(lease, "lease", least=LEAST_RENEWED_MS)
    validate.milliseconds(keep_for, "keep_for", least=1)

    def decorate(function: Callable[_P, _R]) -> Callable[_P, _R]:
        _require_plain(engine, function)

        @functools.wraps(function)
        def run_once(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            name = key(*args, **kwargs)
            if name is None:
                raise InvalidInput(
                    f"a call for {namespace} has no key, and was not run",
                    operation="once",
                    path=engine.identity.address,
                )
            came = None if payload is None else payload(*args, **kwargs)
            with named("once", engine.identity.address):
                once = Once.claim(
                    engine,
                    namespace,
                    name,
                    lease=lease,
                    keep_for=keep_for,
                    payload=came,
                    aliases=(),
                )
            if once.done:
                replayed: _R = once.result
                return replayed
            if once.holder is not None:
                raise LeaseHeld(
                    f"key {name!r} of {namespace}",
                    holder=once.holder,
                    expires_at=once.expires_at,
                    retry_after=once.retry_after,
                    operation="once",
                    path=engine.identity.address,
                )
            return _run(engine, once, functools.partial(function, *args, **kwargs))

        return run_once

    return decorate


def _require_plain(engine: Engine, function: Callable[..., object]) -> None:
    """Refuse a function that returns a promise of work, to be done after the claim's end."""
    promising = (
        inspect.iscoroutinefunction,
        inspect.isgeneratorfunction,
        inspect.isasyncgenfunction,
    )
    if any(kind(function) for kind in promising):
        raise InvalidInput(
            f"{function!r} must be a function that returns when it is done",
            operation="idempotent",
            path=engine.identity.address,
        )


def _run(engine: Engine, once: Once, work: Callable[[], _R]) -> _R:
    """Do the work of a claimed key, and return what every later call will return."""
    with renewing(engine, once.local_lease):
        try:
            result = work()
            with named("complete", engine.identity.address):
                encoded = encode_result(result, "complete")
        except BaseException:
            with suppress(FencepostError):  # its lease ends by itself
                insist(once.release)
            raise
        insist(lambda: once.complete(result))
    # A tuple is a list by then.
    stored: _R = json.loads(encoded or "null")
    return stored
