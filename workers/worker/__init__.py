"""A worker process: claim, run the handler, settle."""
