"""The URL scheme sqlite: an address is a path."""

from __future__ import annotations

import os

from ..engine.driver import Driver
from .engine import SqliteEngine
from .file.paths import make_folder
from .set_aside import quarantine
from .whole_file.migration import migrate
from .whole_file.restore import adopt, restore


def _why_not_made(path: str) -> str | None:
    folder = os.path.dirname(os.path.abspath(path))
    return None if os.path.isdir(folder) else f"the folder {folder} does not exist"


DRIVER = Driver(
    name="SQLite",
    open=SqliteEngine,
    exists=os.path.exists,
    why_not_made=_why_not_made,
    checksums=True,
    migrate=lambda path, dry_run: migrate(path, dry_run=dry_run),
    make_folder=make_folder,
    set_aside=quarantine,
    restore=restore,
    adopt=adopt,
)
