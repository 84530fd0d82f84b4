"""Locks on the store's files."""
