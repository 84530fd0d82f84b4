"""What must always hold, by the names that scenarios, the checker and the report use."""

from __future__ import annotations

INVARIANTS = {
    "nothing-lost": "what was acknowledged is stored, and is finished in the end",
    "nothing-unexpected": "the store contains nothing that nobody asked for",
    "accepted-once": "one enqueue of a key is accepted; all others get the same message id",
    "won-once": "one of the processes that register an absent key wins",
    "one-holder": "a lease or claim has one holder at a time",
    "fences-rise": "a fence is given out once, and the fences of a delivery or a name rise",
    "stale-refused": "a process that has lost a lease or claim can change nothing with it",
    "holder-not-refused": "the holder of a lease or claim is not refused",
    "holder-knows": "no lease lasts longer than its holder was told",
    "lane-order": "a lane's messages are handled one at a time, in the order of their commits",
    "effects-once": "what a handler writes in its transaction is stored once",
    "handled-again-in-time": "what a dead process had claimed is handled again soon",
    "not-handled-twice": "a message whose handler did not fail is handled once",
    "ends-in-grace": "a pool that is told to stop exits with 0 within its grace time, and leaves nothing claimed",
    "caps-hold": "no snapshot shows more rows than the cap",
    "busy-in-time": "StoreBusy comes after the stated wait, neither earlier nor much later",
    "waits-bounded": "waits for the write lock stay below their bound",
    "typed-errors": "every failure raises an error of Fencepost's own",
    "same-answer": "an operation repeated under the same key gets the same answer",
    "integrity": "the database is undamaged, and its counters are right",
    "wal-bounded": "the WAL stays below its bound",
    "all-open": "every process that opens a store, at the same time as others, succeeds soon",
    "never-stuck": "no process waits for ever",
    "runs-through": "the scenario and its processes end as they were meant to",
}
