"""A message arrives: new, or for another time."""
