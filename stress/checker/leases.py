"""Named leases: fences, one holder, who is refused, and that none outlives what was told."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence

from ..records.history import Call
from .grants import SLACK_NS, Grant, fences_rise, given_once, one_holder
from .verdict import Verdict

_USES = ("keep", "free", "fenced")


def check(calls: Sequence[Call], verdict: Verdict) -> None:
    """Check every lease, and every use that was made of one."""
    by_name: dict[str, list[Call]] = defaultdict(list)
    for call in calls:
        if call.op in ("acquire", *_USES):
            by_name[call.what["name"]].append(call)
    reboots = [call.began for call in calls if call.op == "rebooted"]
    for each in by_name.values():
        grants = _grants(each, verdict)
        fences_rise(grants.values(), verdict)
        one_holder(grants.values(), reboots, verdict)
        _refused(grants, verdict)
        _no_longer_than_told(each, list(grants.values()), verdict)


def _grants(calls: Sequence[Call], verdict: Verdict) -> dict[int, Grant]:
    grants: dict[int, Grant] = {}
    for call in calls:
        if call.op == "acquire" and call.outcome == "ok" and call.ended is not None:
            span = int(call.what["ttl_ms"] * 1e6)
            grant = Grant(
                thing=f"lease {call.what['name']}",
                fence=call.answer["fence"],
                process=call.process,
                began=call.began,
                ended=call.ended,
                least_until=call.began + span,
                most_until=call.ended + span,
            )
            given_once(grants.setdefault(grant.fence, grant), grant, verdict)
    for call in calls:
        if call.op in _USES and call.what["fence"] in grants:
            grant = grants[call.what["fence"]]
            grant.calls.append(call)
            if grant.most_until is not None and call.began > grant.most_until + SLACK_NS:
                grant.late.append(call)
            if call.op == "keep":
                grant.extend(call, int(call.what["ttl_ms"] * 1e6))
            elif call.op == "free" and call.outcome != "failed":
                grant.end(call.began)
    return grants


def _refused(grants: dict[int, Grant], verdict: Verdict) -> None:
    taken: int | None = None
    for _, grant in sorted(grants.items(), reverse=True):
        for call in grant.calls:
            taken_over = taken is not None and call.began > taken
            if taken_over or call in grant.late:
                verdict.check(
                    "stale-refused",
                    call.outcome != "ok",
                    f"{grant.process}: {call.op} of {grant.thing} with fence {grant.fence} was"
                    f" accepted after {'another had it' if taken_over else 'it had expired'}",
                )
            elif call.outcome == "failed" and call.answer.get("error") == "lease_lost":
                held = call.ended is not None and call.ended < grant.least_until - SLACK_NS
                freed = grant.over is not None and grant.over < call.began
                verdict.check(
                    "holder-not-refused",
                    freed or not held,
                    f"{grant.process}: {call.op} of {grant.thing} with fence {grant.fence} was"
                    " refused while it held it",
                )
            elif call.outcome == "ok":
                verdict.checked["holder-not-refused"] += 1
        taken = grant.ended if taken is None else min(taken, grant.ended)


def _no_longer_than_told(calls: Sequence[Call], grants: list[Grant], verdict: Verdict) -> None:
    """Check that who is refused a lease is refused for somebody who may still have it."""
    unknown = min(
        (call.began for call in calls if call.op == "acquire" and call.outcome == "unknown"),
        default=None,
    )
    grants.sort(key=lambda grant: grant.began)
    starts = [grant.began for grant in grants]
    for call in calls:
        if call.op != "acquire" or call.answer.get("error") != "lease_held" or call.ended is None:
            continue
        if unknown is not None and unknown < call.ended:
            continue
        begun = reversed(grants[: bisect_right(starts, call.ended)])
        verdict.check(
            "holder-knows",
            any(_may_live(grant, call.began) for grant in begun),
            f"{call.process} was refused {call.what['name']}, which {call.answer.get('holder')}"
            " was said to hold, when no holder had been told to have it that long",
        )


def _may_live(grant: Grant, at: int) -> bool:
    if grant.most_until is not None and grant.most_until + SLACK_NS < at:
        return False
    return not any(
        call.op == "free" and call.outcome == "ok" and call.ended is not None and call.ended < at
        for call in grant.calls
    )
