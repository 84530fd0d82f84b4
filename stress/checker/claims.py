"""Claims of deliveries: fences, one holder, who is refused, and the order in lanes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from ..records.history import Call
from .grants import Grant, fences_rise, fences_unique, given_once, one_holder
from .verdict import Verdict

_LAST = ("ack", "complete", "bury")
_SETTLES = (*_LAST, "retry", "release")


def check(calls: Sequence[Call], verdict: Verdict) -> None:
    """Check every claim, and every use that was made of one."""
    grants: dict[tuple[int, int], Grant] = {}
    lanes: dict[tuple[str, str], dict[int, int]] = defaultdict(dict)
    for call in calls:
        if call.op == "claim" and call.outcome == "ok" and call.ended is not None:
            for claim in call.answer["claims"]:
                span = int(claim["lease_ms"] * 1e6)
                grant = Grant(
                    thing=f"delivery {claim['id']} ({claim['key']})",
                    fence=claim["fence"],
                    process=call.process,
                    began=call.began,
                    ended=call.ended,
                    least_until=call.began + span,
                    most_until=call.ended + span,
                )
                first = grants.setdefault((claim["id"], claim["fence"]), grant)
                given_once(first, grant, verdict)
                if claim.get("lane") is not None:
                    lane = lanes[call.what["queue"], claim["lane"]]
                    lane[claim["id"]] = min(call.ended, lane.get(claim["id"], call.ended))
    _uses(calls, grants)
    by_id: dict[int, list[Grant]] = defaultdict(list)
    for (id, _), grant in grants.items():
        by_id[id].append(grant)
    fences_unique(grants.values(), verdict)
    reboots = [call.began for call in calls if call.op == "rebooted"]
    unknown = [call.began for call in calls if call.op == "claim" and call.outcome == "unknown"]
    for each in by_id.values():
        fences_rise(each, verdict)
        one_holder(each, reboots, verdict)
        _refused(each, min(unknown, default=None), verdict)
    _lanes(calls, lanes, verdict)


def _uses(calls: Sequence[Call], grants: dict[tuple[int, int], Grant]) -> None:
    killed = {call.answer["process"]: call.began for call in calls if call.op == "killed"}
    for grant in grants.values():
        if grant.process in killed:  # its supervisor gives back what it held
            grant.end(killed[grant.process])
    for call in calls:
        if call.op in _SETTLES or call.op == "renew":
            if (call.what["id"], call.what["fence"]) not in grants:
                continue
            grant = grants[call.what["id"], call.what["fence"]]
            grant.calls.append(call)
            if call.op == "renew":
                grant.extend(call, int(call.what["lease_ms"] * 1e6))
            elif call.outcome != "failed":
                grant.end(call.began)


def _refused(grants: list[Grant], unknown: int | None, verdict: Verdict) -> None:
    """Check that who was superseded is refused, and that nobody else is told to be."""
    for grant in grants:
        later = [other for other in grants if other.fence > grant.fence]
        stale_since = min((other.ended for other in later), default=None)
        may_be_since = min((other.began for other in later), default=None)
        for call in grant.calls:
            if stale_since is not None and call.began > stale_since:
                verdict.check(
                    "stale-refused",
                    call.outcome != "ok",
                    f"{grant.process}: {call.op} of {grant.thing} with fence {grant.fence} was"
                    " accepted after another had claimed it",
                )
            if call.answer.get("cause") == "superseded" and call.ended is not None:
                by = [at for at in (may_be_since, unknown) if at is not None]
                verdict.check(
                    "holder-not-refused",
                    any(at < call.ended for at in by),
                    f"{grant.process}: {call.op} of {grant.thing} with fence {grant.fence} was"
                    " refused as superseded, and nobody had claimed it since",
                )
            elif call.outcome == "ok" and stale_since is None:
                verdict.checked["holder-not-refused"] += 1


def _lanes(
    calls: Sequence[Call], lanes: dict[tuple[str, str], dict[int, int]], verdict: Verdict
) -> None:
    """Check that each began, in the order of ids, after all before it had or may have ended.

    Ids rise with the commits that gave them.
    """
    over: dict[int, int] = {}
    for call in calls:
        if call.op in _LAST and call.outcome != "failed":
            over[call.what["id"]] = min(call.began, over.get(call.what["id"], call.began))
        elif call.op == "final" and call.answer["state"] in ("dead", "cancelled"):
            over.setdefault(call.answer["id"], 0)  # when its last lease ended is not known
    for (queue, lane), first in lanes.items():
        free, behind = 0, 0
        for id, claimed in sorted(first.items()):
            verdict.check(
                "lane-order",
                claimed >= free,
                f"{queue}: delivery {id} of lane {lane} was claimed while {behind} was not at its"
                " end",
            )
            ended = over.get(id)
            if ended is None:
                ended = 2**63
            if ended > free:
                free, behind = ended, id
