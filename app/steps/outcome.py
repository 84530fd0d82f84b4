"""What a step came to, as it is stored: JSON, bytes, or an exception."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterable
from typing import Any

from ...store.errors import FencepostError, InvalidInput, LimitExceeded
from ..exceptions import Discard, Retry, SoftTimeout

MOST_JSON_BYTES = 64 * 1024
MOST_BYTES = 1024 * 1024


def encode(value: object) -> str | bytes:
    """Return a value as JSON text, or bytes as they are.

    Raises:
        InvalidInput: It is not JSON.
        LimitExceeded: It is over 64 KiB of JSON, or 1 MiB of bytes.
    """
    if isinstance(value, bytes | bytearray | memoryview):
        if (size := memoryview(value).nbytes) > MOST_BYTES:
            raise LimitExceeded(f"{size} bytes are over the {MOST_BYTES} allowed")
        return bytes(value)
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        size = len(text.encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(f"it is not JSON: {error}") from error
    if size > MOST_JSON_BYTES:
        raise LimitExceeded(f"{size} bytes of JSON are over the {MOST_JSON_BYTES} allowed")
    return text


def decode(outcome: str | bytes | None) -> Any:
    """Return the value of what `encode` has returned."""
    return outcome if outcome is None or isinstance(outcome, bytes) else json.loads(outcome)


def check_recorded(kinds: object) -> tuple[type[Exception], ...]:
    """Return the classes of `record=`.

    Raises:
        InvalidInput: One is no class of exceptions, or one that must not be recorded.
    """
    given = kinds if isinstance(kinds, Iterable) and not isinstance(kinds, str) else (kinds,)
    found = tuple(given)
    for kind in found:
        if not isinstance(kind, type) or not issubclass(kind, Exception):
            raise InvalidInput(f"record takes classes of Exception, not {kind!r}")
        if issubclass(kind, _NEVER):
            raise InvalidInput(f"record cannot take {kind.__name__}: it is about the delivery")
    return found


def is_recorded(error: Exception, kinds: tuple[type[Exception], ...]) -> bool:
    """True for an exception of these classes, also of a wide one such as Exception."""
    return isinstance(error, kinds) and not isinstance(error, _NEVER)


_NEVER = (Retry, Discard, SoftTimeout, FencepostError)


def encode_error(error: Exception) -> str:
    """Return an exception as JSON text: its class and its arguments.

    Raises:
        InvalidInput: It cannot be made again from them.
        LimitExceeded: It is over 64 KiB.
    """
    kind = type(error)
    try:
        text = encode({"module": kind.__module__, "name": kind.__qualname__, "args": error.args})
        assert isinstance(text, str)
        decode_error(text)
    except FencepostError as refused:
        raise type(refused)(f"{kind.__qualname__} cannot be recorded: {refused}") from error
    return text


def decode_error(text: str) -> Exception:
    """Return the exception anew.

    Raises:
        InvalidInput: Its class is not there any more, or does not take its arguments.
    """
    found = json.loads(text)
    where = f"{found['module']}.{found['name']}"
    try:
        kind: Any = importlib.import_module(found["module"])
        for part in found["name"].split("."):
            kind = getattr(kind, part)
        error = kind(*found["args"])
    except Exception as wrong:
        raise InvalidInput(f"{where} cannot be made from its arguments: {wrong}") from wrong
    if not isinstance(error, Exception):
        raise InvalidInput(f"{where} is no exception")
    return error
