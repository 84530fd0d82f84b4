"""The extra that sending needs, and what to do without it."""

from __future__ import annotations

import importlib.util

from ...store.errors import InvalidInput

CURE = "pip install 'fencepost[send]'"


def can_send() -> bool:
    """True when the extra is installed."""
    return importlib.util.find_spec("aiohttp") is not None


def require_extra(operation: str) -> None:
    """Raise InvalidInput without the extra, and name the cure."""
    if not can_send():
        raise InvalidInput(f"sending webhooks needs aiohttp: {CURE}", operation=operation)
