"""The log: one line on stderr for each event, from Fencepost and from the app."""
