"""Loading the project's app for the pytest fixtures."""

from __future__ import annotations

import copy
import sys
from pathlib import Path

from ..app import App, Target
from ..ingest.embedding import Embedded
from .clock import Clock

_loaded: dict[str, App] = {}


def load(target: str, root: Path) -> App:
    """Return the app at TARGET; a file is relative to `root`.

    A module that the tests have imported is not run again.

    Raises:
        InvalidInput: There is no app.
    """
    place, colon, attribute = target.rpartition(":")
    if not colon:
        place, attribute = target, "app"
    if place.endswith(".py"):
        place = str((root / place).resolve())
    name = f"{place}:{attribute}"
    if name not in _loaded:
        found = _imported(place, attribute)
        _loaded[name] = found if isinstance(found, App) else Target(name).app()
    return _loaded[name]


def moved(app: App, store: Path, clock: Clock) -> App:
    """Return a copy of an app with another store and clock."""
    app.check()
    other = copy.copy(app)
    other.store = str(store)
    other.store_options = {**app.store_options, "durability": "normal", "clock": clock}
    other._embedded = Embedded(other)
    return other


def _imported(place: str, attribute: str) -> object:
    for module in list(sys.modules.values()):
        members = getattr(module, "__dict__", {})
        if members.get("__file__") == place:
            return members.get(attribute)
    return None
