"""Handlers that take the messages of one key together."""
