"""Quarantine of a whole store: renaming a damaged store with all its files.

Never done by itself: a store begun anew knows none of the keys it has seen, so what is
delivered again is handled again.
"""

from __future__ import annotations

import contextlib
import os
from datetime import UTC, datetime

from ..clock import HostClock
from ..engine.driver import OpenOptions
from ..errors import InvalidInput, SchemaUnsupported, StoreCorrupt, StoreOpenFailed
from .engine import SqliteEngine
from .file import paths, space
from .file.schema import ForeignDatabase
from .locks.exclusive import behind_gate, open_nowhere

_PATIENCE_SECONDS = 5.0

# The database first: SQLite deletes a WAL that it finds beside an empty database, but
# would take an old database without its WAL for whole. The gate stays, because who waits
# there must meet whoever comes next.
_MOVED = ("", "-wal", "-shm", "-journal", "-wakeup", "-alive")


def quarantine(path: str, clock: HostClock) -> str:
    """Move a store that is damaged or cannot be read to a name of its own; return that.

    Raises:
        InvalidInput: It is well; nothing was moved.
        SchemaUnsupported: It is another program's; nothing was moved.
        StoreOpenFailed, StoreBusy: Somebody has it open; nothing was moved.
    """
    path = paths.locate(path)
    paths.require(path, create=False)
    if not _is_damaged(path, clock):
        raise InvalidInput(
            f"{path} passed every check, so it was not quarantined",
            operation="quarantine",
            path=path,
        )
    moment = datetime.fromtimestamp(clock.wall_ms() / 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
    aside = f"{path}.quarantined-{moment}"
    with behind_gate(path, "quarantine"), open_nowhere(path, "quarantine"):
        if any(os.path.lexists(aside + suffix) for suffix in _MOVED):
            raise StoreOpenFailed(f"{aside} exists", operation="quarantine", path=path)
        for suffix in _MOVED:
            with contextlib.suppress(FileNotFoundError):
                os.rename(path + suffix, aside + suffix)
        space.drop_ballast(path)
        paths.sync_folder(path)
    return aside


def _is_damaged(path: str, clock: HostClock) -> bool:
    try:
        engine = SqliteEngine(path, OpenOptions(clock, _PATIENCE_SECONDS, "full", create=False))
    except ForeignDatabase:
        raise
    except (StoreCorrupt, SchemaUnsupported):
        return True
    with contextlib.closing(engine):
        return not engine.upkeep.integrity().ok
