"""fencepost scale, schedules and workers: what pools do."""
