"""Reading a body as text, form or JSON, by the same rules everywhere.

The receiver reads the key and the event by this rule, and `Message.json()` its answer, so
that both see the same value.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from .inflate import inflated

# A document nested deeper could be read at the receiver and overflow the stack of a handler.
_MOST_NESTED = 500
_MOST_FIELDS = 1000

_CHARSET = re.compile(
    r""";\s*charset\s*=\s*["']?([A-Za-z0-9][A-Za-z0-9._:-]{0,39})""", re.IGNORECASE
)

# ASCII is a part of UTF-8. Without a byte order mark the Web takes UTF-16 for little-endian
# (encoding.spec.whatwg.org). The others of Python's are not the charset of any text.
_INSTEAD = {
    "ascii": "utf-8",
    "utf-8-sig": "utf-8",
    "utf-16": "utf-16-le",
    "utf-32": "utf-32-le",
    **dict.fromkeys(("idna", "punycode", "undefined", "utf-7"), "utf-8"),
    **dict.fromkeys(("unicode-escape", "raw-unicode-escape"), "utf-8"),
}

# Media types of plain JSON in UTF-8, as most providers spell them.
_USUAL = {"application/json", "application/json; charset=utf-8", "application/json;charset=utf-8"}

Headers = Mapping[str, str]


class FormFields(dict[str, str | list[str]]):
    """The fields of a form that holds no JSON; of a repeated field, the list of its values."""


def media_type(headers: Headers) -> str:
    """Return the media type in lower case, "" when there is none or more than one."""
    content_type = headers.get("content-type", "")
    return "" if "," in content_type else content_type.partition(";")[0].strip().lower()


def is_form(headers: Headers) -> bool:
    """Say whether a body is called a form."""
    return media_type(headers) == "application/x-www-form-urlencoded"


def is_json(headers: Headers) -> bool:
    """Say whether a body is called JSON."""
    kind = media_type(headers)
    return kind == "application/json" or kind.endswith("+json")


def text(body: bytes, headers: Headers, most: int) -> str:
    """Return the body as text: decompressed to at most `most` bytes, then decoded.

    A byte order mark says how it is encoded, then the NULs that UTF-16 and UTF-32 put
    into JSON, then the charset of the Content-Type; without any of them it is UTF-8.

    Raises:
        ValueError: It is not in its encoding, or too long.
    """
    return _decoded(body, headers, most)[0]


def parsed(body: bytes, headers: Headers, most: int) -> Any:
    """Return what the body says: JSON, JSON in the `payload` of a form, or a form's fields.

    Raises:
        ValueError: It is none of them, or as `text`.
    """
    if headers.get("content-type") in _USUAL and "content-encoding" not in headers:
        # It takes less than json, and what it takes it reads alike.
        try:
            return _shallow(msgspec.json.decode(body), body.count(b"[") + body.count(b"{"))
        except (msgspec.DecodeError, RecursionError):
            pass
    found, encoding = _decoded(body, headers, most)
    return _form(found, encoding) if is_form(headers) else _json(found)


def _decoded(body: bytes, headers: Headers, most: int) -> tuple[str, str]:
    coding = headers.get("content-encoding")
    plain = inflated(body, coding, most) if coding else body
    encoding = _encoding(plain, headers)
    return plain.decode(encoding), encoding


def _encoding(plain: bytes, headers: Headers) -> str:
    marked = json.detect_encoding(plain)
    if marked != "utf-8":
        return marked
    content_type = headers.get("content-type", "")
    declared = None if "," in content_type else _CHARSET.search(content_type)
    if declared is None:
        return "utf-8"
    try:
        name = codecs.lookup(declared[1]).name
        "a".encode(name)  # refuses a codec that is not for text, such as zlib
    except (LookupError, UnicodeError):
        return "utf-8"
    return _INSTEAD.get(name, name)


def _form(found: str, encoding: str) -> Any:
    if _opens(found):
        # What writes a form escapes these letters. A tool that sends JSON under the media
        # type that it has by default, as curl does, does not.
        try:
            return _json(found)
        except ValueError:
            pass
    pairs = parse_qsl(
        found,
        keep_blank_values=True,
        encoding="utf-8" if encoding.startswith(("utf-16", "utf-32")) else encoding,
        errors="strict",
        max_num_fields=_MOST_FIELDS,
    )
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    fields = FormFields(
        {name: each[0] if len(each) == 1 else each for name, each in values.items()}
    )
    payload = fields.get("payload")
    return _json(payload) if isinstance(payload, str) and _opens(payload) else fields


def _json(found: str) -> Any:
    try:
        value = json.loads(found.removeprefix("\ufeff"))
    except RecursionError:
        raise ValueError("The JSON is nested too deep.") from None
    return _shallow(value, found.count("[") + found.count("{"))


def _shallow(value: Any, opened: int) -> Any:
    """Return a value in whose text so many objects and arrays may open.

    Raises:
        ValueError: It is nested too deep.
    """
    if opened > _MOST_NESTED and _depth(value) > _MOST_NESTED:
        raise ValueError("The JSON is nested too deep.")
    return value


def _opens(found: str) -> bool:
    """Say whether a text begins as a JSON object or array does."""
    return found.lstrip("\ufeff \t\r\n")[:1] in ("{", "[")


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level := [
        inner
        for outer in level
        for inner in (outer.values() if isinstance(outer, dict) else outer)
        if isinstance(inner, dict | list)
    ]:
        depth += 1
    return depth + 1
