"""What must always hold, by the names that scenarios, the checker and the report use."""

from __future__ import annotations

INVARIANTS = {
    "nothing-lost": "what was acknowledged is there, and comes to its end",
    "nothing-unexpected": "nothing is there that nobody asked for",
    "accepted-once": "of all who enqueue a key, one is told accepted, the others its id",
    "won-once": "of all who register an absent key, one wins",
    "one-holder": "a lease or claim has one holder at a time",
    "fences-rise": "a fence is greater than every one given out before it, and never repeats",
    "stale-refused": "who has lost a lease or claim changes nothing by it",
    "holder-not-refused": "who holds a lease or claim is not refused",
    "holder-knows": "nobody holds anything for longer than it was told",
    "lane-order": "a lane's messages are handled one at a time, in the order of their commits",
    "effects-once": "what a handler writes in its transaction is there once",
    "handled-again-in-time": "what a dead process held is handled again soon",
    "not-handled-twice": "what nobody failed at is handled once",
    "caps-hold": "no snapshot shows more rows than the cap",
    "busy-in-time": "StoreBusy comes after the stated wait, neither before nor much later",
    "waits-bounded": "waits for the write lock stay below their bound",
    "shares-fair": "no writer gets much less than another",
    "throughput-kept": "many writers together reach most of one writer's throughput",
    "typed-errors": "what fails raises an error of fencepost's own",
    "same-answer": "an operation tried again under its key gets the same answer",
    "integrity": "the database is whole, and its counters are right",
    "victim-untouched": "no file of anybody else's is changed",
    "wal-bounded": "the WAL stays below its bound",
    "alarm-raised": "what only an operator can mend is said",
    "bounded": "memory, descriptors and rows do not grow without end",
    "all-open": "of many who open a store at once each has it, and soon",
    "never-stuck": "nobody waits for ever",
    "reproducible": "the same seed gives the same faults",
}
