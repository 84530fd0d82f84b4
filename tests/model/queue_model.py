"""What queues do: jobs in the order of their arrival, and who is at the head of each lane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fencepost import LeaseLost, LimitExceeded, QueueFull
from fencepost.store.types.message import Caps

from .machine import Refused

LIVE = ("ready", "leased")
DAYS = 3 * 86_400_000  # how long a job is tried unless it says otherwise
EXPIRED = "the lease expired"  # how the error of a job begins whose holder let it lapse

Lane = tuple[str, str]


@dataclass(frozen=True)
class Draft:
    """What is given to enqueue; times in milliseconds."""

    queue: str
    body: bytes = b""
    key: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    lane: str | None = None
    delay: int = 0
    priority: int = 0
    keep: int = 60_000
    policy: str = "strict"
    max_attempts: int | None = None
    retry_for: int = DAYS


@dataclass(eq=False)
class Held:
    """A claim of a job, as the one who made it has it."""

    job: Job
    attempt: int
    until: int
    fence: int = 0


@dataclass(eq=False)
class Job:
    """A message with its delivery."""

    draft: Draft
    received: int
    changed: int
    state: str = "ready"
    due: int | None = None
    attempt: int = 0
    max_attempts: int | None = None
    retry_for: int = DAYS
    tried_since: int = 0
    last: Held | None = None  # who claimed it last
    holder: Held | None = None  # whose claim still holds, expired or not
    settled: Held | None = None  # whose claim brought it to its state
    until: int | None = None
    parked: bool = False
    forgotten_at: int | None = None
    body_until: int | None = None  # of what is done and has a body
    copy_of: Job | None = None
    gone: bool = False
    error: str | None = None
    result: Any = None
    id: int = 0
    message_id: int = 0

    @property
    def lane(self) -> Lane | None:
        return None if self.draft.lane is None else (self.draft.queue, self.draft.lane)

    @property
    def aside(self) -> bool:
        return self.draft.policy == "skip" and self.due is not None

    def exhausted(self, now: int) -> bool:
        used_up = self.max_attempts is not None and self.attempt >= self.max_attempts
        rebooted = self.state == "leased" and self.until == 0
        return used_up or (now >= self.tried_since + self.retry_for and not rebooted)


class Queues:
    """All queues of a store."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self.heads: dict[Lane, Job] = {}
        self.caps: dict[str, Caps] = {}
        self.paused: set[str] = set()

    def pass_time(self, now: int) -> None:
        """Let jobs become ready whose time has come, each on its moment."""
        waiting = [job for job in self.jobs if job.state == "ready" and job.due is not None]
        for job in sorted(waiting, key=lambda job: job.due or 0):
            if job.due is not None and job.due <= now:
                job.changed, job.due = job.due, None
                self._fill(job.lane)

    # a job's life

    def enqueue(self, drafts: Sequence[Draft], now: int) -> list[tuple[str, Job]]:
        before = list(self.jobs), dict(self.heads)
        try:
            return [self._enqueue(draft, now) for draft in drafts]
        except Refused:
            for job in before[0]:
                job.gone = False
            self.jobs, self.heads = before
            raise

    def _enqueue(self, draft: Draft, now: int) -> tuple[str, Job]:
        known = self.known(draft.queue, draft.key)
        if known is not None:
            if known.forgotten_at is None or known.forgotten_at > now:
                return ("duplicate" if known.draft.body == draft.body else "conflict"), known
            self._forget(known)
        self._require_room(draft.queue, len(draft.body))
        job = Job(draft, received=now, changed=now)
        job.due = now + draft.delay if draft.delay else None
        job.max_attempts, job.retry_for = draft.max_attempts, draft.retry_for
        self.jobs.append(job)
        self._fill(job.lane)
        return "accepted", job

    def redeliver(self, job: Job, now: int) -> str:
        """Have a dead job tried again because its sender has delivered it once more."""
        if job.state != "dead":
            return "duplicate"
        self._require_room(job.draft.queue, len(job.draft.body))
        assert self.replay(job, now) == "replayed"
        return "accepted"

    def _require_room(self, queue: str, size: int) -> None:
        max_rows, max_bytes, *_ = self.caps.get(queue, Caps())
        live = [job for job in self.of(queue) if job.state in LIVE]
        if max_bytes is not None and size > max_bytes:
            raise Refused(LimitExceeded)
        if max_rows is not None and len(live) >= max_rows:
            raise Refused(QueueFull)
        if max_bytes is not None and sum(len(job.draft.body) for job in live) + size > max_bytes:
            raise Refused(QueueFull)

    def claim(
        self,
        queues: Sequence[str],
        limit: int,
        lease: int,
        now: int,
        limits: Mapping[str, tuple[int | None, int]] | None = None,
    ) -> list[Held]:
        for job in self.jobs:
            if job.state == "leased" and job.until is not None and job.until <= now:
                self._take_back(job, now)
        ready = [job for queue in queues for job in self.open(queue)][:limit]
        claims = []
        for job in ready:
            if limits and job.draft.queue in limits:
                job.max_attempts, job.retry_for = limits[job.draft.queue]
            if not job.attempt:
                job.tried_since = now
            job.attempt += 1
            job.state, job.until = "leased", now + lease
            job.holder = job.last = Held(job, job.attempt, now + lease)
            job.settled = None
            claims.append(job.holder)
        return claims

    def open(self, queue: str) -> list[Job]:
        """Return what may be claimed of a queue at once."""
        ready = self.claimable(queue)
        most = self.caps.get(queue, Caps()).max_leased
        leased = sum(job.state == "leased" for job in self.of(queue))
        room = len(ready) if most is None else max(0, most - leased)
        return [] if queue in self.paused else ready[:room]

    def claimable(self, queue: str) -> list[Job]:
        ready = [
            job
            for job in self.of(queue)
            if job.state == "ready"
            and job.due is None
            and (job.lane is None or self.heads.get(job.lane) is job)
        ]
        return sorted(ready, key=lambda job: -job.draft.priority)

    def ack(self, held: Held, result: Any, now: int) -> None:
        if self._settled(held, "done"):
            return
        job = self.require(held, done=True)
        job.result, job.error, job.settled = result, None, held
        self._end(job, "done", now)

    def ack_many(self, claims: Sequence[tuple[Held, Any]], now: int) -> list[Held]:
        refused = []
        for held, result in claims:
            try:
                self.ack(held, result, now)
            except Refused:
                refused.append(held)
        return refused

    def retry(self, held: Held, delay: int, error: str | None, now: int) -> bool:
        if self._settled(held, "ready", "dead"):
            return held.job.state == "ready"
        job = self.require(held)
        job.error, job.settled = error, held
        if job.exhausted(now):
            self._end(job, "dead", now)
            return False
        self._give_back(job, now)
        job.due = now + delay if delay else None
        if job.aside:
            self._leave(job)
        return True

    def release(self, held: Held, now: int) -> None:
        if self._settled(held, "ready"):
            return
        job = self.require(held)
        job.attempt -= 1
        job.settled = held
        self._give_back(job, now)

    def bury(self, held: Held, error: str, now: int) -> None:
        if self._settled(held, "dead"):
            return
        job = self.require(held)
        job.error, job.settled = error, held
        self._end(job, "dead", now)

    def renew(self, held: Held, lease: int, now: int) -> int:
        job = self.require(held)
        job.state, job.until = "leased", max(job.until or 0, now + lease)
        return job.until

    def require(self, held: Held, *, done: bool = False) -> Job:
        """Return the job of a claim that still holds; for one whose work is done, also if dead."""
        job = held.job
        if job.gone:
            raise Refused(LeaseLost, cause="missing")
        if job.last is not held:
            raise Refused(LeaseLost, cause="superseded")
        if job.settled is held:
            raise Refused(LeaseLost, cause="settled")
        if job.holder is not held or (job.state == "dead" and not done):
            raise Refused(LeaseLost, cause="revoked")
        return job

    # operators

    def replay(self, job: Job, now: int) -> str | Job:
        """Return what became of it, or the copy that is to be handled in its place."""
        if job.state in LIVE:
            return "claimed" if job.state == "leased" else "active"
        if job.state == "done":
            return "unrecoverable" if job.body_until is None else self._copy(job, now)
        job.state, job.attempt, job.parked = "ready", 0, False
        job.changed = now
        job.settled = job.forgotten_at = job.holder = None
        self._fill(job.lane)
        return "replayed"

    def _copy(self, job: Job, now: int) -> Job:
        copy = Job(job.draft, received=job.received, changed=now, copy_of=job)
        copy.max_attempts, copy.retry_for = job.max_attempts, job.retry_for
        self.jobs.append(copy)
        self._fill(copy.lane)
        return copy

    def cancel(self, job: Job, now: int) -> str:
        if job.state == "leased" and job.until is not None and job.until > now:
            return "claimed"
        if job.state in ("done", "cancelled"):
            return "completed" if job.state == "done" else "already_cancelled"
        job.settled = None
        self._end(job, "cancelled", now)
        return "cancelled"

    def move(self, job: Job, queue: str, now: int) -> str:
        """Give a job to another queue."""
        for other in self.jobs:
            if other.state == "leased" and other.until is not None and other.until <= now:
                self._take_back(other, now)
        if job.state in ("leased", "done", "cancelled"):
            return {"leased": "claimed", "done": "completed"}.get(job.state, "already_cancelled")
        if job.draft.queue == queue:
            return "present"
        known = None if job.copy_of else self.known(queue, job.draft.key)
        if known is not None:
            if known.forgotten_at is None or known.forgotten_at > now:
                return "present"
            self._forget(known)
        before = job.lane
        job.draft = replace(job.draft, queue=queue)
        if before is not None and self.heads.get(before) is job:
            del self.heads[before]
        self._fill(before)
        if job.lane is not None and (job.parked or (job.state == "ready" and not job.aside)):
            self._join(job, job.lane, now)
        return "moved"

    def _join(self, job: Job, lane: Lane, now: int) -> None:
        """Have a job that was moved be the head of a lane, unless that has to stay."""
        head = self.heads.get(lane)
        newer = head is not None and self.jobs.index(head) > self.jobs.index(job)
        if head is None or (head.state == "ready" and newer):
            self.heads[lane] = job
        elif job.parked:
            job.parked = False
            self._keep(job, now)

    def sweep(self, now: int) -> int:
        over = [job for job in self.jobs if job.forgotten_at is not None]
        forgotten = [job for job in over if (job.forgotten_at or 0) <= now]
        for job in forgotten:
            self._forget(job)
        over = [job for job in self.jobs if job.body_until is not None]
        bodies = [job for job in over if (job.body_until or 0) <= now]
        for job in bodies:
            job.body_until = None
        return 2 * len(forgotten) + len(bodies)  # the message and the delivery

    def reboot(self) -> None:
        for job in self.jobs:
            if job.state == "leased":
                job.until = 0

    # looking

    def of(self, queue: str) -> list[Job]:
        return [job for job in self.jobs if job.draft.queue == queue]

    def known(self, queue: str, key: str | None) -> Job | None:
        same = [
            job
            for job in self.of(queue)
            if key is not None and job.draft.key == key and job.copy_of is None
        ]
        return same[0] if same else None

    def moments(self) -> list[int]:
        at = [
            moment
            for job in self.jobs
            for moment in (job.due, job.until, job.forgotten_at, job.body_until)
        ]
        ages = [job.tried_since + job.retry_for for job in self.jobs if job.attempt]
        return [moment for moment in at if moment is not None] + ages

    def stats(self, queue: str, now: int) -> dict[str, Any]:
        jobs = self.of(queue)
        count: dict[str, float] = {
            state: sum(job.state == state for job in jobs) for state in _STATES
        }
        count["scheduled"] = sum(job.state == "ready" and job.due is not None for job in jobs)
        count["ready"] -= count["scheduled"]
        since = [job.changed for job in jobs if job.state == "ready" and job.due is None]
        count["oldest_ready_age"] = max(0, now - min(since, default=now)) / 1000
        most = self.caps.get(queue, Caps()).max_leased
        return {**count, "paused": queue in self.paused, "max_leased": most}

    # what follows

    def _settled(self, held: Held, *states: str) -> bool:
        return not held.job.gone and held.job.settled is held and held.job.state in states

    def _take_back(self, job: Job, now: int) -> None:
        holder = job.holder
        job.error = EXPIRED
        if job.exhausted(now):
            self._end(job, "dead", now)
        else:
            self._give_back(job, now)
        job.holder = holder  # late is better than twice, or never

    def _give_back(self, job: Job, now: int) -> None:
        job.state, job.changed = "ready", now
        job.due = job.until = job.holder = None

    def _end(self, job: Job, state: str, now: int) -> None:
        job.state = state
        job.due = job.until = job.holder = None
        job.parked = state == "dead" and job.lane is not None and job.draft.policy == "park"
        self._keep(job, now)
        if not job.parked:
            self._leave(job)

    def _keep(self, job: Job, now: int) -> None:
        """Say how long it is remembered, and its body."""
        keep_body = self.caps.get(job.draft.queue, Caps()).keep_body_ms
        job.forgotten_at = None if job.parked else now + max(job.draft.keep, keep_body)
        job.body_until = now + keep_body if job.state == "done" and keep_body else None

    def _forget(self, job: Job) -> None:
        job.gone = True
        self.jobs.remove(job)

    def _leave(self, job: Job) -> None:
        if job.lane is not None and self.heads.get(job.lane) is job:
            del self.heads[job.lane]
        self._fill(job.lane)

    def _fill(self, lane: Lane | None) -> None:
        """Give a lane without a head the oldest that can be one."""
        if lane is None or lane in self.heads:
            return
        for job in self.jobs:
            if job.lane == lane and job.state in LIVE and not job.aside:
                self.heads[lane] = job
                return


_STATES = ("ready", "leased", "done", "dead", "cancelled")
