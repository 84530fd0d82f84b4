"""JSON values: checked, encoded and decoded."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from ...errors import InvalidInput, LimitExceeded

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 64

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)


def encode(value: object) -> str:
    """Return a value as JSON text; the same text for what decode() makes of it.

    Raises:
        InvalidInput: It is not JSON: another type, a key that is no str, a number that is
            not finite, deeper than 64, or part of itself.
        LimitExceeded: It is over 1 MiB of UTF-8.
    """
    _check(value, MAX_DEPTH, _Budget())
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        size = len(text.encode())
    except (TypeError, ValueError) as error:  # half a surrogate pair, an int of 5,000 digits
        raise InvalidInput(f"the value is not JSON: {error}") from error
    if size > MAX_BYTES:
        raise LimitExceeded(f"a value of {size} bytes is over the {MAX_BYTES} allowed")
    return text


def decode(text: bytes) -> Any:
    """Return the value that the text stands for.

    Raises:
        ValueError: It is no JSON, or more than a reader can take.
        RecursionError: The caller's own stack left no room; the text may be sound.
    """
    try:
        return json.loads(text.decode(), parse_constant=_refuse)
    except RecursionError as error:
        if _depth(text) <= MAX_DEPTH:
            raise
        raise ValueError("it is nested too deep") from error


def _depth(text: bytes) -> int:
    depth = deepest = 0
    for byte in _STRING.sub(b"", text):
        if byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"]}":
            depth -= 1
    return deepest


class _Budget:
    """How many values may still be looked at: each takes a byte of text at least.

    Without it, a list that holds one other twice, sixty times over, would take for ever.
    """

    def __init__(self) -> None:
        self._left = MAX_BYTES

    def take(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise LimitExceeded(f"a value is over the {MAX_BYTES} bytes allowed")


def _check(value: object, depth: int, budget: _Budget) -> None:
    budget.take()
    if value is None or isinstance(value, str | bool | int):
        return
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidInput(f"a value must be finite, not {value!r}")
        return
    if not isinstance(value, dict | list | tuple):
        raise InvalidInput(f"a value must be JSON, not {type(value).__name__}")
    if not depth:
        raise InvalidInput(f"a value is nested deeper than {MAX_DEPTH}, or part of itself")
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise InvalidInput(f"a key in a value must be a str, not {type(key).__name__}")
        value = list(value.values())
    for item in value:
        _check(item, depth - 1, budget)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")
