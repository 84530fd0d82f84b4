"""A message arrives, one at a time: new, or for another time."""
