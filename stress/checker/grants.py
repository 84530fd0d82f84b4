"""Grants of claims and leases: who was given what, with which fence, for how long."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ..records.history import Call
from .verdict import Verdict

# The store's clock has milliseconds, and cuts off what is less.
SLACK_NS = 2_000_000


@dataclass(slots=True)
class Grant:
    """Something that a process was given.

    Attributes:
        began, ended: Of the call that gave it, in nanoseconds; it was given in between.
        least_until: It lasts at least until then, unless it is ended before.
        most_until: It lasts no longer than that; None when a call without an answer may
            have extended it.
        late: The calls that were made when it had certainly expired.
        over: When the first call began that has or may have ended it early.
    """

    thing: str
    fence: int
    process: str
    began: int
    ended: int
    least_until: int
    most_until: int | None
    over: int | None = None
    calls: list[Call] = field(default_factory=list)
    late: list[Call] = field(default_factory=list)

    def extend(self, call: Call, span_ns: int) -> None:
        """Take a renewal into account."""
        if call.outcome == "ok" and call.ended is not None:
            self.least_until = max(self.least_until, call.began + span_ns)
            if self.most_until is not None:
                self.most_until = max(self.most_until, call.ended + span_ns)
        elif call.outcome == "unknown":
            self.most_until = None

    def end(self, began: int) -> None:
        """Take into account what has, or may have, ended it early."""
        self.over = began if self.over is None else min(self.over, began)


def given_once(first: Grant, grant: Grant, verdict: Verdict) -> None:
    """Check that nobody was given this thing with this fence before."""
    if first is not grant:
        verdict.check(
            "fences-rise",
            False,
            f"{grant.process} was given fence {grant.fence} for {grant.thing}, as"
            f" {first.process} was before it",
        )


def fences_unique(grants: Iterable[Grant], verdict: Verdict) -> None:
    """Check that no fence was given for two things."""
    seen: dict[int, Grant] = {}
    for grant in grants:
        other = seen.setdefault(grant.fence, grant)
        verdict.check(
            "fences-rise",
            other is grant,
            f"{grant.process} was given fence {grant.fence} for {grant.thing}, after"
            f" {other.process} was given it for {other.thing}",
        )


def fences_rise(grants: Iterable[Grant], verdict: Verdict) -> None:
    """Check that a thing's fences are greater than those given out before they were asked for."""
    by_end = sorted(grants, key=lambda grant: grant.ended)
    greatest, done = 0, 0
    for grant in sorted(by_end, key=lambda grant: grant.began):
        while by_end[done].ended < grant.began:
            greatest = max(greatest, by_end[done].fence)
            done += 1
        verdict.check(
            "fences-rise",
            grant.fence > greatest,
            f"{grant.process} was given fence {grant.fence} for {grant.thing}, after {greatest}",
        )


def one_holder(grants: Iterable[Grant], reboots: list[int], verdict: Verdict) -> None:
    """Check that each was given only after the one before it had ended.

    In the order of their fences; where that goes back in time, fences_rise says so.
    """
    before: Grant | None = None
    for grant in sorted(grants, key=lambda grant: grant.fence):
        if before is not None and before.began <= grant.ended:
            held_until = before.least_until - SLACK_NS
            if before.over is not None:
                held_until = min(held_until, before.over)
            rebooted = any(before.began <= at <= grant.ended for at in reboots)
            verdict.check(
                "one-holder",
                rebooted or grant.ended >= held_until,
                f"{grant.process} was given {grant.thing} with fence {grant.fence},"
                f" {(held_until - grant.ended) / 1e6:.1f} ms before {before.process} with"
                f" {before.fence} had lost it",
            )
        before = grant
