"""Reading single values from a request's body."""

from __future__ import annotations

from typing import Any

from .request import Malformed, Request


def document(request: Request) -> dict[str, Any]:
    """Return the body as a JSON object or the fields of a form.

    Raises:
        Malformed: It is neither.
    """
    found = request.json()
    if not isinstance(found, dict):
        raise Malformed("The body is not the JSON that this source sends.")
    return found


def string(value: object, name: str) -> str | None:
    """Return the string member of an object; None when there is none."""
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, str) else None
