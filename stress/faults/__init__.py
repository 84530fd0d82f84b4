"""Faults in the product that are the same on every engine; an engine's own are in its folder."""
