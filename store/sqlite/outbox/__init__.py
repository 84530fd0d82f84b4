"""Outgoing webhooks on SQLite."""
