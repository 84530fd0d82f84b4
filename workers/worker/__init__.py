"""A worker process: it claims deliveries, runs their handlers, and saves the outcome."""
