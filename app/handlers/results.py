"""Handler results as JSON, of limited size."""

from __future__ import annotations

import json

import msgspec

_MOST_BYTES = 64 * 1024


def storable(result: object) -> tuple[str | None, str]:
    """Return a result as JSON text, and a warning for the log or ""; never raise.

    Dates, UUIDs, decimals, enums, sets, bytes (as Base64), dataclasses and the like become
    the JSON that stands for them, other objects their text, and NaN and infinity null. A
    result that still is not JSON, or is over 64 KiB, is dropped.
    """
    if result is None:
        return None, ""
    wrong = ""

    def text(value: object) -> str:
        nonlocal wrong
        wrong = f"the result of a handler is not JSON: {type(value).__name__} is stored as text"
        return str(value)

    try:
        try:
            encoded = json.dumps(result, allow_nan=False)
        except (TypeError, ValueError):
            built = msgspec.to_builtins(result, str_keys=True, enc_hook=text)
            finite = json.loads(json.dumps(built), parse_constant=lambda _: None)
            encoded = json.dumps(finite)
    except BaseException as error:  # noqa: BLE001 - the handler has succeeded in any case
        return (
            None,
            f"the result of a handler is not JSON, and was not stored: {type(error).__name__}",
        )
    if len(encoded) > _MOST_BYTES:
        return (
            None,
            f"the result of a handler is over {_MOST_BYTES // 1024} KiB, and was not stored",
        )
    return encoded, wrong
