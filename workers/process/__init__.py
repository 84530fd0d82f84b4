"""Processes of a pool: forked, named, watched and replaced."""
