"""What operators see and change by hand, on SQLite."""
