"""What a handler remembers from one attempt to the next."""
