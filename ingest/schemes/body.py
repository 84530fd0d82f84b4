"""Read the few fields of a genuine body that a scheme needs."""

from __future__ import annotations

import re
from collections import Counter
from typing import TypeVar
from urllib.parse import parse_qsl

import msgspec

from ..request import Malformed, Request

T = TypeVar("T")

_MOST_FIELDS = 1000

# One escape of a JSON string; group 1 is half of a surrogate pair without its other half.
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)


class _Typed(msgspec.Struct):
    type: msgspec.Raw = msgspec.Raw()


def is_json(request: Request) -> bool:
    """Say whether the request calls its body JSON."""
    kind = _media_type(request)
    return kind == b"application/json" or kind.endswith(b"+json")


def is_form(request: Request) -> bool:
    """Say whether the request calls its body a form."""
    return _media_type(request) == b"application/x-www-form-urlencoded"


def parse(body: bytes | str, shape: type[T]) -> T:
    """Return the JSON text as this type.

    Half of a surrogate pair, left where a sender cut an emoji in two, reads as NUL.

    Raises:
        Malformed: It is not UTF-8, not JSON, of another shape, or nested too deep.
    """
    try:
        text = body if isinstance(body, str) else body.decode()
        try:
            return msgspec.json.decode(text, type=shape)
        except msgspec.DecodeError:
            whole = _ESCAPE.sub(lambda found: r"\u0000" if found[1] else found[0], text)
            return msgspec.json.decode(whole, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Malformed("The body is not the JSON that this source sends.") from None


def string(value: msgspec.Raw) -> str | None:
    """Return the JSON string, None when it is anything else."""
    try:
        return msgspec.json.decode(value, type=str)
    except msgspec.DecodeError:
        return None


def type_of(value: msgspec.Raw) -> str | None:
    """Return the string that a JSON object has as its type."""
    try:
        return string(msgspec.json.decode(value, type=_Typed).type)
    except msgspec.DecodeError:
        return None


def form(body: bytes) -> dict[str, str]:
    """Return the fields that stand once in the form.

    Raises:
        Malformed: It is not UTF-8, or has too many fields.
    """
    try:
        pairs = parse_qsl(
            body.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS
        )
    except ValueError:
        raise Malformed("The body is not a form that can be read.") from None
    times = Counter(name for name, _ in pairs)
    return {name: value for name, value in pairs if times[name] == 1}


def _media_type(request: Request) -> bytes:
    value = request.header(b"content-type") or b""
    return value.partition(b";")[0].strip().lower()
