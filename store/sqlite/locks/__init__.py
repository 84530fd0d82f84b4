"""Locks on the files of a store, and what they tell of other processes."""
