"""The log: one line per event on stderr."""
