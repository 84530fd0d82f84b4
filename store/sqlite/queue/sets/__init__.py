"""Whole sets: enqueue, claim and end many deliveries in a few statements.

Each statement here changes exactly the whole set, or what it has done is undone and the verb
goes row by row (enqueue.py, claim.py and settle.py beside this folder). So every odd case, such
as a known key, a lost lease or a damaged row, has one place that knows what becomes of it.
"""
