"""Pools and worker processes on SQLite."""
