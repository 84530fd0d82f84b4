"""Handler results as JSON, of limited size."""

from __future__ import annotations

import json

import msgspec

_MOST_BYTES = 64 * 1024


def storable(result: object) -> tuple[str | None, str]:
    """Return a result as JSON text, and what the log should say of it; nothing of it raises.

    Dates, UUIDs, decimals, enums, sets, bytes (as Base64), dataclasses and the like become
    what JSON has for them; other objects their text; numbers that are not finite null. What
    is still none, or over 64 KiB, is dropped.
    """
    if result is None:
        return None, ""
    wrong = ""

    def text(value: object) -> str:
        nonlocal wrong
        wrong = f"a handler's result is not JSON: {type(value).__name__} is kept as text"
        return str(value)

    try:
        try:
            encoded = json.dumps(result, allow_nan=False)
        except (TypeError, ValueError):
            built = msgspec.to_builtins(result, str_keys=True, enc_hook=text)
            finite = json.loads(json.dumps(built), parse_constant=lambda _: None)
            encoded = json.dumps(finite)
    except BaseException as error:  # noqa: BLE001 - the handler is done, whatever its objects raise
        return None, f"a handler's result is not JSON, and not kept: {type(error).__name__}"
    if len(encoded) > _MOST_BYTES:
        return None, f"a handler's result is over {_MOST_BYTES // 1024} KiB, and not kept"
    return encoded, wrong
