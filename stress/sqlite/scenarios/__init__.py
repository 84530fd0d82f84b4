"""The scenarios of what only SQLite has: files, a WAL, one write lock, a failing disk."""
