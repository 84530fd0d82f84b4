"""Restoring one part of the state of a process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# Restores the part; True if it had been changed.
Restore = Callable[[], bool]


class BeyondRepair(Exception):
    """It cannot be restored in this process."""


def value(get: Callable[[], Any], put: Callable[[Any], object]) -> Restore:
    """Return what puts back a value that has one function to read and one to write it."""
    before = get()

    def restore() -> bool:
        if get() == before:
            return False
        put(before)
        return True

    return restore


def attributes(module: object, *names: str) -> Restore:
    """Return what puts back these attributes of a module, the objects themselves."""
    before = {name: getattr(module, name) for name in names}

    def restore() -> bool:
        changed = [n for n, value in before.items() if getattr(module, n, None) is not value]
        for name in changed:
            setattr(module, name, before[name])
        return bool(changed)

    return restore
