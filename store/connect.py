"""From an address to an open store."""

from __future__ import annotations

import os

from . import validate
from .clock import Clock, SystemClock
from .errors import InvalidInput
from .sqlite import SqliteEngine
from .store import Store
from .validate import Duration

_SQLITE = "sqlite:///"


def connect(
    target: str | os.PathLike[str],
    *,
    busy_timeout: Duration = 5.0,
    durability: str = "full",
    create: bool = True,
    clock: Clock | None = None,
) -> Store:
    """Open a store, and make it where there is none.

    Args:
        target: A path, or sqlite:///path (sqlite:////path when it begins with a slash).
        busy_timeout: Seconds that any call waits for the write lock before StoreBusy.
            Opening waits up to ten, because many may make the store at once.
        durability: "full": what returned is on disk and survives a power loss.
            "normal": it survives a crash of the process; a power loss may take the last
            commits, and may give a fence out twice.
        create: False refuses to make a store.
        clock: For tests.

    Raises:
        InvalidInput: An argument makes no sense.
        StoreOpenFailed, StoreCorrupt, SchemaUnsupported, StoreBusy, StoreFull: It cannot be
            opened; nothing was changed.
    """
    if durability not in ("full", "normal"):
        raise InvalidInput(f'durability must be "full" or "normal", not {durability!r}')
    address = validate.path(target, "a store's address")
    path = address.removeprefix(_SQLITE)
    if path == address and "://" in address:
        raise InvalidInput(
            f"no engine for {address.split('://')[0]}://; use a path or sqlite:///path"
        )
    engine = SqliteEngine(
        path,
        clock=clock or SystemClock(),
        busy_seconds=validate.milliseconds(busy_timeout, "busy_timeout") / 1000,
        durability=durability,
        create=create,
    )
    return Store(engine)
