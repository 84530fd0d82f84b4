"""Rules for keys and event names."""

from __future__ import annotations

import re

from .request import Event

KEY_BYTES = 512
EVENT_BYTES = 128

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def named(key: str | None, event: str | None, *, silent: bool = False) -> Event:
    """Return an event; a key that cannot be stored becomes None, a name "" instead."""
    return Event(_usable(key, KEY_BYTES), _usable(event, EVENT_BYTES) or "", silent)


def _usable(text: str | None, most: int) -> str | None:
    if not text or text.isspace():
        return None
    if text.isascii() and text.isprintable():
        return text if len(text) <= most else None
    if _CONTROL.search(text):
        return None
    try:
        size = len(text.encode())
    except UnicodeEncodeError:  # half of a surrogate pair
        return None
    return text if size <= most else None
