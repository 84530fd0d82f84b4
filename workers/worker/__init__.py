"""A worker process: claim, handle, settle."""
