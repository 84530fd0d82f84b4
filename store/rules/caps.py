"""Caps of a queue or a namespace: changing them, and whether there is room."""

from __future__ import annotations

from ..types.messages.limits import CapChanges, Caps


def changed(caps: Caps, changes: CapChanges) -> Caps:
    """Return a queue's caps with some of them new."""
    return caps._replace(**changes)


def never_fits(caps: Caps, bytes: int) -> bool:
    """True for a body that would be too much for the empty queue as well."""
    return caps.max_bytes is not None and bytes > caps.max_bytes


def what_is_full(caps: Caps, *, rows: int, used: int, bytes: int) -> str | None:
    """Return what a queue holds that leaves no room for one more delivery, None for room.

    Args:
        rows, used: What it holds now: deliveries that are ready or leased, and their bytes.
        bytes: Of the new one.
    """
    if caps.max_rows is not None and rows >= caps.max_rows:
        return f"{rows} deliveries"
    if caps.max_bytes is not None and used + bytes > caps.max_bytes:
        return f"{used} bytes"
    return None


def is_full(cap: int | None, rows: int) -> bool:
    """True when there is no room for one more row."""
    return cap is not None and rows >= cap
