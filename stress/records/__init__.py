"""What a run writes down: histories of calls, invariants, findings, the report."""
