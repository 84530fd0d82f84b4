"""Handlers that are programs: the process that runs them, and its parent in a worker."""
