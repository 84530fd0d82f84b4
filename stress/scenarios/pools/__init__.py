"""Scenarios of worker pools: killed, stopped, poisoned, scaled."""
