"""Arithmetic of a queue's caps: what they are after a change, and whether there is room."""

from __future__ import annotations

from ..types.message import CapChanges, Caps


def changed(caps: Caps, changes: CapChanges) -> Caps:
    """Return the caps with some of them new."""
    return caps._replace(**changes)
