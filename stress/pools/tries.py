"""What histories say of the tries at messages: which were repeated, and how soon."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from ..records.history import Call


class Try(NamedTuple):
    """A handler was called with a message.

    Attributes:
        at: Nanoseconds of the boot clock.
        last: It was its process's last.
    """

    key: str
    process: str
    at: int
    last: bool


class Repeat(NamedTuple):
    """A message that was tried again, or should have been.

    Attributes:
        killed_at: When its process was killed with it in its hands; None when it was not,
            so that the second try should never have been.
        again_at: When it was tried again, None when never.
    """

    first: Try
    killed_at: int | None
    again_at: int | None


def tries(calls: Sequence[Call]) -> list[Try]:
    """Return all tries; each follows a claim that a worker noted."""
    of: dict[str, list[Call]] = defaultdict(list)
    for call in calls:
        if call.op == "claim" and call.outcome == "ok":
            of[call.process].append(call)
    found = []
    for process, claims in of.items():
        for claim in claims:
            assert claim.ended is not None
            key = claim.answer["claims"][0]["key"]
            found.append(Try(key, process, claim.ended, claim is claims[-1]))
    return found


def repeats(calls: Sequence[Call]) -> list[Repeat]:
    """Return what was tried more than once, and what died with its process and was never done."""
    killed = {call.answer["process"]: call.began for call in calls if call.op == "killed"}
    done = {
        call.answer["key"]
        for call in calls
        if call.op == "final" and call.answer["state"] == "done"
    }
    of: dict[str, list[Try]] = defaultdict(list)
    for each in sorted(tries(calls), key=lambda each: each.at):
        of[each.key].append(each)
    found = []
    for key, mine in of.items():
        for first, again in pairwise(mine):
            at = killed.get(first.process) if first.last else None
            found.append(Repeat(first, at, again.at))
        at = killed.get(mine[-1].process)
        if key not in done and mine[-1].last and at is not None:
            found.append(Repeat(mine[-1], at, None))
    return found
