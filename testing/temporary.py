"""Temporary stores."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ..store import Store, connect
from ..store.errors import FencepostError
from .clock import Clock


def make(clock: Clock) -> tuple[Store, str]:
    """Return an empty store, and the folder to remove once it is closed."""
    folder = tempfile.mkdtemp(prefix="fencepost-testing-")
    try:
        # Nothing in it has to survive a power loss.
        return connect(Path(folder, "store.db"), durability="normal", clock=clock), folder
    except BaseException:
        remove(folder)
        raise


def remove(folder: str) -> None:
    """Remove a store's folder."""
    shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def temporary_store(clock: Clock) -> Iterator[Store]:
    """Give the block an empty store, and delete it afterwards."""
    store, folder = make(clock)
    try:
        yield store
    finally:
        close(store, folder)


def close(store: Store, folder: str) -> None:
    """Close a store and remove its folder."""
    with contextlib.suppress(FencepostError):  # a handler may have left a transaction open
        store.close()
    remove(folder)
