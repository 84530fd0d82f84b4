"""A store in plain Python: the reference that the SQLite engine is held against.

It keeps the contract of fencepost.store.engine in dictionaries, in memory, as plainly as it can
be said. It shares no code with store/sqlite, and restates the rules instead of calling
store/rules: a fault in a rule that both called could not be found by comparing them.

rows.py      the rows: values that are replaced, never changed
tables.py    the tables: dictionaries of rows, copied by each transaction
memory.py    a store and its openings: the lock, transactions, wake-ups
engine.py    the contract's front: ports, and the parts below
queues/      a message's life: enqueue, claim, settle, reap, lanes
durable/     what handlers remember and wait for
operators/   what operators see and change
pools/       pools, workers, schedules
keyed.py  namespaces.py  leases.py  once.py  upkeep.py    the other parts

Left out: SQL of callers, backup, and bounds on how many rows one call cleans up.
"""
