"""Schedules: when a handler is called by the clock, and what becomes of missed times."""
