"""Pools, their workers, their events and their schedules, in plain Python."""
