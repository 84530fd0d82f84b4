"""The commands that run processes: up, serve and work."""
