"""The store on SQLite: the only folder that knows it."""

from .engine import SqliteEngine
from .migration import migrate
from .rescue import quarantine

__all__ = ["SqliteEngine", "migrate", "quarantine"]
