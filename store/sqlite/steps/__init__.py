"""Steps on SQLite."""
