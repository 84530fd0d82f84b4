"""A simulation of many processes on one store: the real code, in a world made of a seed.

world.py     one life: some hundred steps of actors, and the end; mishaps.py, the faults
calls.py     calls of the store by a process, and what becomes of their answers
machine.py   what the operating system gives: clocks, pids, locks, room on the disk
actors/      who uses the store, and how
reference.py what the store must answer: the reference engine, called as the store was
numbers.py   the numbers that the store has given out, for the reference to give out too
judge.py     holds the answers against it; compare.py, what is in the file
"""
