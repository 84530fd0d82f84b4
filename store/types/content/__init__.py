"""Bodies and JSON values: read by the same rules everywhere."""
