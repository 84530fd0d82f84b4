"""Decisions that every engine makes the same way: pure functions, without a database."""
