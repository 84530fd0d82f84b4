"""Scenarios of the store alone: claims, leases, caps and clocks."""
