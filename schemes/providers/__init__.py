"""The signature schemes, one file per provider.

A new one is a module here with a `build` (see scheme.py), and its name in registry.py.
"""
