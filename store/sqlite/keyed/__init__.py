"""Keyed state on SQLite."""
