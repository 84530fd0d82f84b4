"""Deliveries on SQLite: enqueue, claim, settle, expire."""
