"""Interrupting a handler: over its soft timeout, or with its lease lost."""
