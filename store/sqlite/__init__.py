"""The store on SQLite: the only folder that knows it."""

from .engine import SqliteEngine
from .files import make_folder
from .migration import migrate
from .rescue import quarantine

__all__ = ["SqliteEngine", "make_folder", "migrate", "quarantine"]
