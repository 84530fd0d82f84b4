"""Waiting for answers and for messages."""
