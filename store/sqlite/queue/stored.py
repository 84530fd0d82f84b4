"""JSON as the store keeps it beside its rows: read back whole, or told to be damaged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import StoreCorrupt
from ...types.json_value import decode


def result(stored: bytes | None, *, operation: str, path: str) -> Any:
    """Return the result that was kept, None when none was.

    Raises:
        StoreCorrupt: It is not what was stored.
    """
    return None if stored is None else _read(stored, "result", operation, path)


def headers(stored: bytes, *, operation: str, path: str) -> Mapping[str, str]:
    """Return a message's headers.

    Raises:
        StoreCorrupt: They are not what was stored.
    """
    value = _read(stored, "headers", operation, path)
    if isinstance(value, dict) and all(isinstance(each, str) for each in value.values()):
        return value
    raise StoreCorrupt(
        f"{path}: the stored headers are damaged: they are no mapping of str to str",
        operation=operation,
        path=path,
    )


def _read(stored: bytes, what: str, operation: str, path: str) -> Any:
    try:
        return decode(stored)
    except ValueError as error:
        raise StoreCorrupt(
            f"{path}: the stored {what} is damaged: {error}", operation=operation, path=path
        ) from error
