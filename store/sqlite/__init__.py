"""The store on SQLite: the only folder that knows it."""

from .engine import SqliteEngine
from .file.paths import make_folder
from .set_aside import quarantine
from .whole_file.migration import migrate
from .whole_file.restore import adopt, restore

__all__ = ["SqliteEngine", "adopt", "make_folder", "migrate", "quarantine", "restore"]
