"""Ports: what some database gives for free, and another has to be asked for."""
