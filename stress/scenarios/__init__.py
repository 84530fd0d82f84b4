"""The scenarios that run on every engine; an engine's own are in its folder.

A new one is a module with a `SCENARIO` (harness/scenario.py), here or in a folder of this one:
it is found by itself.
"""
