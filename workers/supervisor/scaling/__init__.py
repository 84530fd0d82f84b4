"""How many workers a pool should have."""
