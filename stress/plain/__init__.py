"""A store in plain Python: the reference that the SQLite engine is held against.

It keeps the contract of fencepost.store.engine in dictionaries, as plainly as it can be said.
It shares no code with store/sqlite and restates the rules in place of calling store/rules,
because a rule that both called could not be found wrong by comparing them.

rows.py      the rows: values that are replaced, never changed
tables.py    the tables: dictionaries of rows, copied by each transaction
memory.py    a store and its openings: the lock, transactions, wake-ups
engine.py    the contract's front; each verb is one call of a module below
clock.py     the store's time, and the end of all leases when the machine has started anew

enqueue.py  redelivery.py  claim.py  settle.py  reap.py  lanes.py  changes.py    the queues
listing.py  operate.py  move.py  routing.py                                      the operators
keyed.py  spaces.py  leases.py  once.py  pools.py  upkeep.py                     the other parts

Left out: users' SQL, backup, and bounds on the rows that one call cleans up.
"""
