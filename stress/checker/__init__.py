"""Reads the histories of all processes and decides what held.

It shares no code with the store. What it understands, by the name of the call (`what` are
the arguments, -> the answer), all of it JSON:

    enqueue         queue, key, lane -> status, message_id
    claim           queue -> claims: a list of {id, key, fence, lane, lease_ms}
    renew           id, fence, lease_ms
    ack, complete, retry, release, bury
                    id, fence, key; `complete` is the transaction that ends with the ack
    register        namespace, key -> won
    acquire         name, ttl_ms -> fence; of one who was refused lease_held: holder
    keep, free, fenced
                    name, fence, ttl_ms: a named lease is renewed, released, or a
                    transaction is committed under it

And of what is only seen:

    final           queue, key, id, state: a delivery, when all has come to rest
    effect          key, count: what the handlers' transactions wrote, at that time
    snapshot        of, rows, cap
    integrity       says: "ok" or what is wrong
    killed, stopped, continued, rebooted
                    process: a fault that the scenario injected, noted before it (after it
                    for continued)

A lane is given only where its policy is strict. Only what is certain is a finding: a call
without an answer may have had its effect, at any time since it began.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..records.history import Call
from ..records.report import Finding
from . import answers, claims, leases, messages
from .verdict import Verdict


def check(calls: Sequence[Call]) -> tuple[dict[str, int], list[Finding]]:
    """Return how often each invariant was looked at, and where it does not hold."""
    verdict = Verdict()
    for part in (answers, messages, claims, leases):
        part.check(calls, verdict)
    return dict(verdict.checked), verdict.findings
