"""The contract for pools, their workers and their schedules."""
