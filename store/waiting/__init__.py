"""Handlers that wait for answers, and callers that wait for messages to end."""
