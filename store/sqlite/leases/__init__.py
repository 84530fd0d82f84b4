"""Leases of names, and of keys that are worked on once, on SQLite."""
