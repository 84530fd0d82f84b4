"""Faults in the SQLite engine."""
