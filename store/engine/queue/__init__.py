"""The contract for a message's life: enqueue, claim, settle."""
