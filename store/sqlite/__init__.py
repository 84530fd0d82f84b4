"""The store on SQLite: the only folder that knows it."""

from .engine import SqliteEngine
from .files import make_folder
from .migration import migrate
from .rescue import quarantine
from .restoring import adopt, restore

__all__ = ["SqliteEngine", "adopt", "make_folder", "migrate", "quarantine", "restore"]
