"""What of stress is SQLite's own: its scenarios and faults, file systems that fail.

The tests of the SQLite engine use the failing disk too. It is here, and not among the tests,
because operators run the scenarios from an installed package.
"""
