"""Whether a step is asked for with the same arguments as before."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import hashlib
import json
import pathlib
import uuid
from collections.abc import Mapping
from typing import Any

from ....store import Message

_MOST_SHOWN = 500

# Python refuses to write a longer number as text, or may be told to.
_MOST_BITS = 2000

_BY_TEXT = (
    *(datetime.datetime, datetime.date, datetime.time, datetime.timedelta),
    *(decimal.Decimal, uuid.UUID, pathlib.PurePath),
)


def fingerprint(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[bytes, str]:
    """Return the SHA-256 of arguments in a canonical form, and the beginning of that form.

    JSON as it is; bytes by their hash; dates, decimals, UUIDs, paths, enums and dataclasses by
    their values; a message by its id; sets in order. Anything else counts by its type's name:
    its `repr` may have an address, and its pickle changes with the code.
    """
    try:
        text = _text([list(map(_plain, args)), _plain(dict(kwargs))])
    except RecursionError:
        text = _text(["nested too deeply"])
    # JSON may have half a surrogate pair, which is no text for a file.
    shown = text[:_MOST_SHOWN].encode(errors="replace").decode()
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest(), shown


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _plain(value: Any) -> Any:
    if value is None or type(value) in (bool, str):
        return value
    if type(value) is int:
        return value if value.bit_length() <= _MOST_BITS else {"int": hex(value)}
    if isinstance(value, float):
        return value if value - value == 0 else {"float": repr(value)}
    if isinstance(value, enum.Enum):
        return {_name(value): value.name}
    if isinstance(value, bool | int | str):
        return {_name(value): _plain(int(value) if isinstance(value, int) else str(value))}
    if isinstance(value, bytes | bytearray | memoryview):
        return {"bytes": hashlib.sha256(value).hexdigest()}
    if isinstance(value, Message):
        return {"message": value.id}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Mapping):
        return {_key(key): _plain(each) for key, each in value.items()}
    if isinstance(value, set | frozenset):
        return {"set": sorted(_text(_plain(each)) for each in value)}
    if isinstance(value, _BY_TEXT):
        return {_name(value): str(value)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {
            each.name: _plain(getattr(value, each.name)) for each in dataclasses.fields(value)
        }
        return {_name(value): fields}
    return {"type": _name(value)}


def _key(key: object) -> str:
    return key if isinstance(key, str) else f"\0{_text(_plain(key))}"


def _name(value: object) -> str:
    return type(value).__qualname__
