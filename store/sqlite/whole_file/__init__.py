"""Copies of a whole store: backup, restore, migration on a copy."""
