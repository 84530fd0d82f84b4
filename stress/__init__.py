"""Proof: many processes against one store, under faults, with a history that is checked."""

# Its handlers are those of an app: a worker may interrupt them.
INTERRUPTIBLE = True
