"""What others, and careless code of one's own, may do to the files of a store.

Each entry tells the scenario (Me.ready) what it did and what it saw: `fault` and
`verdicts`, a list of (invariant, whether it held, in words). It says `done` at last.
"""
