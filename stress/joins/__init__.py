"""Handlers that join: their app, what comes of each call, and the judge of it."""
