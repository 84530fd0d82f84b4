"""SQLite as the table of schemes knows it: an address is a path."""

from __future__ import annotations

from ..engine.scheme import Scheme
from .engine import SqliteEngine
from .file.paths import make_folder
from .set_aside import quarantine
from .whole_file.migration import migrate
from .whole_file.restore import adopt, restore

SCHEME = Scheme(
    name="SQLite",
    open=SqliteEngine,
    checksums=True,
    migrate=lambda path, dry_run: migrate(path, dry_run=dry_run),
    make_folder=make_folder,
    set_aside=quarantine,
    restore=restore,
    adopt=adopt,
)
