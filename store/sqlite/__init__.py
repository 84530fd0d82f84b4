"""The store on SQLite: the only folder that knows it."""

from .engine import SqliteEngine

__all__ = ["SqliteEngine"]
