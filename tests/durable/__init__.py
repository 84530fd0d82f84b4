"""Handlers that remember what they have done."""
