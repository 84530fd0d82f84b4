"""Schedules in the supervisor: what is due, by which clock."""
