"""Sleeping: the attempt ends, and a later one goes on."""
