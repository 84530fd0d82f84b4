"""Keeping a database in order: sweeping, audits, probes."""
