"""Outgoing webhooks and where they go."""
