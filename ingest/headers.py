"""Request headers of any framework, as the pairs that a scheme reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..store.errors import InvalidInput

Text = str | bytes
HeadersLike = Mapping[Any, Any] | Iterable[tuple[Any, Any]]


def pairs(headers: HeadersLike) -> list[tuple[bytes, bytes]]:
    """Return headers as pairs with names in lower case.

    Args:
        headers: A mapping, whose values may be lists, or pairs; str or bytes, in any case.

    Raises:
        InvalidInput: It is neither, or a name or value is not str or bytes.
    """
    items = getattr(headers, "items", None)
    found: list[tuple[bytes, bytes]] = []
    try:
        for name, value in items() if callable(items) else headers:
            several = value if isinstance(value, list | tuple) else [value]
            found.extend((_name(name), _value(name, each)) for each in several)
    except (TypeError, ValueError) as error:
        raise InvalidInput(
            f"headers must be a mapping or pairs, not {type(headers).__name__}: {error}",
            operation="accept",
        ) from error
    return found


def _name(name: object) -> bytes:
    return _bytes(name, "a header's name").strip().lower()


def _value(name: object, value: object) -> bytes:
    return _bytes(value, f"header {name!r}").strip(b" \t")


def _bytes(text: object, what: str) -> bytes:
    if isinstance(text, bytes):
        return text
    if not isinstance(text, str):
        raise InvalidInput(
            f"{what} must be str or bytes, not {type(text).__name__}; "
            "give the headers of the request, not its environment",
            operation="accept",
        )
    try:
        return text.encode("latin-1")  # as servers decode headers
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape")
