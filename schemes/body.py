"""Reading single values from a request's body."""

from __future__ import annotations

from typing import Any

from .request import Malformed, Request


def document(request: Request) -> dict[str, Any]:
    """Return the body of a sender that sends nothing but objects.

    Raises:
        Malformed: It is not JSON, or not an object.
    """
    found = request.json()
    if not isinstance(found, dict):
        raise Malformed("The body is not the JSON that this source sends.")
    return found


def string(value: object, name: str) -> str | None:
    """Return the string that an object has under a name, None where there is none."""
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, str) else None
