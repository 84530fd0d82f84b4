"""Holds what is in the file against the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..sqlite.look import Row, Seen
from . import effects
from .model import Model
from .model.queues import LIVE, Job
from .model.verdict import Broken

Difference = tuple[str, str]

_DAY_MS = 86_400_000


def adopt(model: Model, seen: Seen) -> None:
    """Take over the numbers of what was done by a call that did not say."""
    known = {job.message for job in model.queues.jobs}
    new = [row for row in seen.deliveries.values() if row.message not in known]
    for job in model.queues.jobs:
        if not job.message:
            mine = [row for row in new if (row.queue, row.key) == job.draft[:2]]
            if mine:
                job.message = mine[0].message
                new.remove(mine[0])
    claims = [job for job in model.queues.jobs if job.last is not None and not job.last.fence]
    rows = seen.deliveries
    for job in sorted(
        claims, key=lambda job: rows[job.message].fence if job.message in rows else 0
    ):
        row = rows.get(job.message)
        if row is not None and job.last is not None and _is_new(model, row.fence):
            job.last.fence, job.last.token = row.fence, row.token or ""
            job.delivery = row.delivery
    for name, at in model.leases.names.items():
        if at.holder is not None and not at.holder.token and name in seen.leases:
            _, fence, token, _, _ = seen.leases[name]
            at.holder.token = token or ""
            if not at.holder.fence and _is_new(model, fence):
                at.holder.fence = at.fence = fence
    for name, key in model.once.keys.items():
        if key.holder is not None and not key.fence and name in seen.once:
            fence = seen.once[name][1]
            if _is_new(model, fence):
                key.holder.fence = key.fence = fence


def _is_new(model: Model, fence: int) -> bool:
    try:
        model.fences.given(fence, "a call without an answer")
    except Broken:
        return False
    return True


def forget_swept(model: Model, seen: Seen, now: int) -> None:
    """Let go of what may have been swept, and is gone."""
    queues = model.queues
    for job in list(queues.jobs):
        over = job.forgotten_at is not None and job.forgotten_at <= now
        if over and job.message not in seen.deliveries:
            queues.forget(job)
    for name in list(model.leases.names):
        if name not in seen.leases and model.leases.names[name].until <= now - _DAY_MS:
            del model.leases.names[name]
    for name, key in list(model.once.keys.items()):
        over = key.until <= (now if key.state == "done" else now - _DAY_MS)
        if over and name not in seen.once:
            del model.once.keys[name]
    for space_name, space in model.keyed.spaces.items():
        for name, row in list(space.rows.items()):
            if not row.live(now) and (space_name, name) not in seen.entries:
                del space.rows[name]


def differences(model: Model, seen: Seen) -> list[Difference]:
    """Return where the file is not as it has to be."""
    found = [*_deliveries(model, seen), *_caps(model, seen), *_names(model, seen)]
    found += _entries(model, seen)
    wanted = {effects.of_job(job): job.effects for job in model.queues.jobs if job.effects}
    kept = {name: count for name, count in seen.effects.items() if not _forgotten(model, name)}
    wanted |= model.leases.effects
    if kept != wanted:
        found.append(("effects-once", f"the handlers' writes are {_unlike(kept, wanted)}"))
    return found


def _forgotten(model: Model, effect: str) -> bool:
    kind, _, number = effect.partition(" ")
    return kind == "message" and model.queues.by_message(int(number)) is None


def _deliveries(model: Model, seen: Seen) -> list[Difference]:
    found = []
    wanted = {job.message: job for job in model.queues.jobs}
    for message, job in wanted.items():
        if message not in seen.deliveries:
            found.append(("nothing-lost", f"{job} is not there"))
            continue
        has, should = _of_row(seen.deliveries[message]), _of_job(job)
        if has != should:
            found.append(("nothing-lost", f"{job} is {has}, not {should}"))
    for message in seen.deliveries.keys() - wanted.keys():
        found.append(("nothing-unexpected", f"there is {seen.deliveries[message]}"))
    return found


def _of_row(row: Row) -> tuple[object, ...]:
    return (
        row.state,
        row.attempt,
        row.fence,
        row.token or "",
        row.settled or "",
        row.until if row.state == "leased" else None,
        row.due,
        row.forgotten_at,
    )


def _of_job(job: Job) -> tuple[object, ...]:
    return (
        job.state,
        job.attempt,
        job.last.fence if job.last else 0,
        job.holder.token if job.holder else "",
        job.settled.token if job.settled else "",
        job.until if job.state == "leased" else None,
        job.due,
        job.forgotten_at,
    )


def _caps(model: Model, seen: Seen) -> list[Difference]:
    found = []
    for queue, cap in model.queues.caps.items():
        rows = sum(r.queue == queue and r.state in LIVE for r in seen.deliveries.values())
        # What an operator replays comes on top.
        if cap is not None and rows > max(cap, model.queues.live(queue)):
            found.append(("caps-hold", f"queue {queue} has {rows} rows, its cap is {cap}"))
    for name, space in model.keyed.spaces.items():
        rows = sum(at[0] == name for at in seen.entries)
        if rows > space.cap:
            found.append(("caps-hold", f"namespace {name} has {rows} rows, its cap is {space.cap}"))
    return found


def _names(model: Model, seen: Seen) -> list[Difference]:
    leases = {
        name: (
            at.owner,
            at.fence,
            at.holder.token if at.holder else None,
            at.settled.token if at.settled else None,
            at.until,
        )
        for name, at in model.leases.names.items()
    }
    once = {
        name: (
            key.state,
            key.fence,
            key.holder is not None,
            key.settled is not None,
            key.until,
            None if key.result is None else str(key.result),
        )
        for name, key in model.once.keys.items()
    }
    seen_once = {
        name: (state, fence, token is not None, settled is not None, until, result)
        for name, (state, fence, token, settled, until, result) in seen.once.items()
    }
    found = []
    if leases != seen.leases:
        found.append(("nothing-lost", f"the leases are {_unlike(seen.leases, leases)}"))
    if once != seen_once:
        found.append(("nothing-lost", f"the keys are {_unlike(seen_once, once)}"))
    return found


def _entries(model: Model, seen: Seen) -> list[Difference]:
    wanted = {
        (name, key): (str(row.value), row.expires)
        for name, space in model.keyed.spaces.items()
        for key, row in space.rows.items()
    }
    if wanted == seen.entries:
        return []
    return [("nothing-lost", f"the entries are {_unlike(seen.entries, wanted)}")]


def _unlike(has: Mapping[Any, Any], wanted: Mapping[Any, Any]) -> str:
    keys = {key for key in has.keys() | wanted.keys() if has.get(key) != wanted.get(key)}
    return "; ".join(
        f"{key}: {has.get(key)}, not {wanted.get(key)}" for key in sorted(keys, key=str)
    )
