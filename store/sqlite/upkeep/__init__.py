"""Upkeep: sweeping, audits and probes."""
