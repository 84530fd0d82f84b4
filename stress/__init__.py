"""Proof: many processes against one store, under faults, with a history that is checked."""
