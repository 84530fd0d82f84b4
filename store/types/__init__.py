"""Values that cross the edge of the store."""
