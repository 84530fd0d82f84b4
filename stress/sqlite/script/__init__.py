"""A workload by script, whose every step is known by its answer and by the state after it."""
