"""Disks that fail, lose power, are small or run full, and processes killed at a write."""
