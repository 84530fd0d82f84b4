"""Handlers and hooks: the app's functions, and what follows from how they end."""
