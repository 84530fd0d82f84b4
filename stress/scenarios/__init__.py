"""The scenarios that run on every engine; an engine's own are in its folder.

A new one is a module here with a `SCENARIO` (harness/scenario.py): it is found by itself.
"""
