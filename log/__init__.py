"""The log: one line an event on stderr, whoever writes it."""
