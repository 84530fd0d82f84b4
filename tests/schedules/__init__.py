"""Schedules: their times, what is missed, and pools that enqueue each once."""
