"""The queues of a plain store: a message's life, in its order."""
