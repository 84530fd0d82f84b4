"""Waits for answers, on SQLite."""
