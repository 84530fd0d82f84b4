"""What queues do: jobs in the order of their commits, and who is at the head of each lane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .verdict import Broken, Fences, Refused

LIVE = ("ready", "leased")

Lane = tuple[str, str]


class Draft(NamedTuple):
    """What is given to enqueue; times in milliseconds."""

    queue: str
    key: str | None
    body: bytes
    lane: str | None
    policy: str
    delay: int
    priority: int
    keep: int
    attempts: int | None
    retry_for: int = 3 * 86_400_000
    revives: bool = False  # it comes from a sender, who delivers again what was not handled


class Claimed(NamedTuple):
    """A claim as the store has answered it."""

    message: int
    delivery: int
    body: bytes
    attempt: int
    fence: int
    token: str
    until: int


@dataclass(eq=False)
class Held:
    """A claim of a job; fence and token are 0 and "" while only the store knows them."""

    job: Job
    fence: int
    token: str


@dataclass(eq=False)
class Job:
    """A message with its delivery; its numbers are 0 while only the store knows them."""

    draft: Draft
    message: int
    delivery: int = 0
    tried_since: int = 0
    state: str = "ready"
    due: int | None = None
    attempt: int = 0
    last: Held | None = None  # who claimed it last
    holder: Held | None = None  # whose claim still holds, expired or not
    settled: Held | None = None  # whose claim brought it to its state
    until: int | None = None
    parked: bool = False
    forgotten_at: int | None = None
    gone: bool = False
    effects: int = 0

    def __repr__(self) -> str:
        return f"{self.draft.queue} message {self.message} ({self.state})"

    @property
    def lane(self) -> Lane | None:
        return None if self.draft.lane is None else (self.draft.queue, self.draft.lane)

    def exhausted(self, now: int) -> bool:
        """Return whether it is dead unless this attempt ends well."""
        used_up = self.draft.attempts is not None and self.attempt >= self.draft.attempts
        rebooted = self.state == "leased" and self.until == 0
        return used_up or (now >= self.tried_since + self.draft.retry_for and not rebooted)

    def stands_aside(self, now: int) -> bool:
        """Return whether it lets the others of its lane go before."""
        return self.draft.policy == "skip" and self.due is not None and self.due > now


class Queues:
    """All queues of a store."""

    def __init__(self, fences: Fences) -> None:
        self.fences = fences
        self.jobs: list[Job] = []
        self.heads: dict[Lane, Job] = {}
        self.caps: dict[str, int | None] = {}

    # a job's life

    def enqueue(
        self, drafts: Sequence[Draft], *, now: int, got: list[tuple[str, int]] | None
    ) -> list[tuple[str, int]]:
        before = list(self.jobs), dict(self.heads)
        answers = got or [("", 0)] * len(drafts)
        try:
            return [
                self._enqueue(draft, now, message)
                for draft, (_, message) in zip(drafts, answers, strict=True)
            ]
        except Refused:
            for job in before[0]:
                job.gone = False
            self.jobs, self.heads = before
            raise

    def _enqueue(self, draft: Draft, now: int, message: int) -> tuple[str, int]:
        known = self.known(draft)
        if known is not None:
            if known.forgotten_at is None or known.forgotten_at > now:
                return self._known(known, draft, now), known.message
            self.forget(known)
        self._require_room(draft.queue)
        job = Job(draft, message, due=now + draft.delay if draft.delay else None)
        if not job.stands_aside(now):
            self._fill(job.lane, now)
        self.jobs.append(job)
        if not job.stands_aside(now):
            self._fill(job.lane, now)
        return "accepted", message

    def _known(self, job: Job, draft: Draft, now: int) -> str:
        if job.draft.body != draft.body:
            return "conflict"
        if job.state != "dead" or not draft.revives:
            return "duplicate"
        self._require_room(draft.queue)
        self.replay(job.message, now=now, got=None)
        return "accepted"

    def _require_room(self, queue: str) -> None:
        cap = self.caps[queue]
        if cap is not None and self.live(queue) >= cap:
            raise Refused("queue_full")

    def claim(
        self, queue: str, limit: int, lease: int, *, now: int, got: list[Claimed] | None
    ) -> list[Claimed]:
        for job in self.jobs:
            if job.state == "leased" and job.until is not None and job.until <= now:
                self._take_back(job, now)
        self._promote(now)
        jobs = self.claimable(queue)[:limit]
        if got is not None and [each.message for each in got] != [job.message for job in jobs]:
            raise self._wrong_claim(jobs, got, now)
        if got is None:
            return [self._lease(job, now, lease, None) for job in jobs]
        return [self._lease(job, now, lease, one) for job, one in zip(jobs, got, strict=True)]

    def _lease(self, job: Job, now: int, lease: int, got: Claimed | None) -> Claimed:
        if not job.attempt:
            job.tried_since = now
        job.attempt += 1
        until = now + lease
        job.state, job.until, job.settled = "leased", until, None
        held = job.holder = job.last = Held(job, 0, "")
        if got is not None:
            self.fences.given(got.fence, f"a claim of {job}")
            held.fence, held.token = got.fence, got.token
            job.delivery = job.delivery or got.delivery
        return Claimed(
            job.message, job.delivery, job.draft.body, job.attempt, held.fence, held.token, until
        )

    def _wrong_claim(self, jobs: list[Job], got: list[Claimed], now: int) -> Broken:
        by_message = {job.message: job for job in self.jobs}
        for each in got:
            job = by_message.get(each.message)
            if job is None:
                return Broken("nothing-unexpected", f"message {each.message} was claimed")
            if job in jobs:
                continue
            if job.lane is not None and self.heads.get(job.lane) is not job:
                return Broken("lane-order", f"{job} was claimed before {self.heads.get(job.lane)}")
            if job.state == "leased":
                return Broken("one-holder", f"{job} was claimed, and is held until {job.until}")
            if job.state != "ready":
                return Broken("not-handled-twice", f"{job} was claimed")
            return Broken("nothing-unexpected", f"{job} was claimed {job.due or 0 - now} ms early")
        if len(got) < len(jobs):
            return Broken("never-stuck", f"{len(got)} were claimed of {jobs}")
        return Broken("lane-order", f"{[each.message for each in got]} were claimed, not {jobs}")

    def claimable(self, queue: str) -> list[Job]:
        ready = [
            job
            for job in self.jobs
            if job.state == "ready"
            and job.draft.queue == queue
            and job.due is None
            and (job.lane is None or self.heads.get(job.lane) is job)
        ]
        return sorted(ready, key=lambda job: -job.draft.priority)

    def ack(self, held: Held, *, now: int, got: None) -> None:
        if not self._settled(held, "done"):
            self._done(self.require(held, done=True), held, now)

    def ack_many(self, claims: Sequence[Held], *, now: int, got: list[Held] | None) -> list[Held]:
        refused = []
        for held in claims:
            try:
                self.ack(held, now=now, got=None)
            except Refused:
                refused.append(held)
        return refused

    def complete(self, held: Held, *, now: int, got: None) -> None:
        """Commit an effect with the ack."""
        job = self.require(held, done=True)
        job.effects += 1
        self._done(job, held, now)

    def retry(self, held: Held, delay: int, *, now: int, got: bool | None) -> bool:
        if self._settled(held, "ready", "dead"):
            return held.job.state == "ready"
        job = self.require(held)
        job.settled = held
        if job.exhausted(now):
            self._end(job, "dead", now)
            return False
        self._give_back(job)
        job.due = now + delay if delay else None
        if job.stands_aside(now):
            self._leave(job, now)
        return True

    def release(self, held: Held, *, now: int, got: None) -> None:
        if not self._settled(held, "ready"):
            job = self.require(held)
            job.attempt -= 1
            job.settled = held
            self._give_back(job)

    def bury(self, held: Held, *, now: int, got: None) -> None:
        if not self._settled(held, "dead"):
            job = self.require(held)
            job.settled = held
            self._end(job, "dead", now)

    def renew(self, held: Held, lease: int, *, now: int, got: int | None) -> int:
        job = self.require(held)
        job.state, job.until = "leased", max(job.until or 0, now + lease)
        return job.until

    def require(self, held: Held, *, done: bool = False) -> Job:
        """Return the job of a claim that still holds; for one whose work is done, also if dead."""
        job = held.job
        if job.gone or job.holder is not held or (job.state == "dead" and not done):
            raise Refused("lease_lost")
        return job

    # operators

    def replay(self, message: int, *, now: int, got: str | None) -> str:
        job = self.by_message(message)
        if job is None:
            return "not_found"
        if job.state == "done":
            return "unrecoverable"  # nothing says keep_body_for
        if job.state in LIVE:
            return "claimed" if job.state == "leased" else "active"
        self._fill(job.lane, now)
        job.state, job.attempt, job.parked = "ready", 0, False
        job.settled = job.forgotten_at = job.holder = None
        self._fill(job.lane, now)
        return "replayed"

    def cancel(self, message: int, *, now: int, got: str | None) -> str:
        job = self.by_message(message)
        if job is None:
            return "not_found"
        if job.state == "leased" and job.until is not None and job.until > now:
            return "claimed"
        if job.state in ("done", "cancelled"):
            return "completed" if job.state == "done" else "already_cancelled"
        job.settled = None
        self._end(job, "cancelled", now)
        return "cancelled"

    def reboot(self) -> None:
        for job in self.jobs:
            if job.state == "leased":
                job.until = 0

    def forget(self, job: Job) -> None:
        job.gone = True
        self.jobs.remove(job)

    # looking

    def known(self, draft: Draft) -> Job | None:
        for job in self.jobs:
            if draft.key is not None and job.draft[:2] == draft[:2]:
                return job
        return None

    def by_message(self, message: int) -> Job | None:
        return next((job for job in self.jobs if job.message == message), None)

    def live(self, queue: str) -> int:
        return sum(job.draft.queue == queue and job.state in LIVE for job in self.jobs)

    def moments(self) -> list[int]:
        at = [moment for job in self.jobs for moment in (job.due, job.until, job.forgotten_at)]
        return [moment for moment in at if moment]

    # what follows

    def _settled(self, held: Held, *states: str) -> bool:
        return not held.job.gone and held.job.settled is held and held.job.state in states

    def _take_back(self, job: Job, now: int) -> None:
        holder = job.holder
        if job.exhausted(now):
            self._end(job, "dead", now)
        else:
            self._give_back(job)
        job.holder = holder  # late is better than twice, or never

    def _give_back(self, job: Job) -> None:
        job.state = "ready"
        job.due = job.until = job.holder = None

    def _done(self, job: Job, held: Held, now: int) -> None:
        job.settled = held
        self._end(job, "done", now)

    def _end(self, job: Job, state: str, now: int) -> None:
        job.state = state
        job.due = job.until = job.holder = None
        job.parked = state == "dead" and job.lane is not None and job.draft.policy == "park"
        job.forgotten_at = None if job.parked else now + job.draft.keep
        if not job.parked:
            self._leave(job, now)

    def _promote(self, now: int) -> None:
        """Let jobs be claimed whose time has come."""
        due = [job for job in self.jobs if job.due is not None and job.due <= now]
        for job in sorted(due, key=lambda job: job.due or 0):
            if job.state == "ready":
                job.due = None
                self._fill(job.lane, now)

    def _leave(self, job: Job, now: int) -> None:
        if job.lane is not None and self.heads.get(job.lane) is job:
            del self.heads[job.lane]
        self._fill(job.lane, now)

    def _fill(self, lane: Lane | None, now: int) -> None:
        """Give a lane without a head the oldest that can be one."""
        if lane is None or lane in self.heads:
            return
        for job in self.jobs:
            if job.lane == lane and job.state in LIVE and not job.stands_aside(now):
                self.heads[lane] = job
                return
