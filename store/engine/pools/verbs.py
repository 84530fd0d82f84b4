"""The contract for the register of pools and workers, and their events."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from ...types.worker import Event, Pool, Progress, Worker
from ..ports.liveness import Liveness
from .schedules import ScheduleVerbs


@dataclass(frozen=True, slots=True)
class Report:
    """What a supervisor says of a worker.

    Attributes:
        handled: Messages so far.
        memory: Bytes resident.
        claimed: The delivery and the fence of its newest claim since the last report.
    """

    state: str
    handled: int
    memory: int | None = None
    claimed: tuple[int, int] | None = None


class Retired(NamedTuple):
    """What became of the claims that a worker left.

    Attributes:
        given_back: How many can be claimed again, or are dead.
        acknowledged: The deliveries that it had done.
    """

    given_back: int
    acknowledged: list[int]


class PoolVerbs(Protocol):
    """What a database does for pools and their workers."""

    @property
    def liveness(self) -> Liveness:
        """Which of them are alive."""
        ...

    @property
    def schedules(self) -> ScheduleVerbs:
        """The schedules for which they enqueue messages."""
        ...

    def begin(
        self, queues: Sequence[str] | None, size: int, *, patience: float | None = None
    ) -> int:
        """Return a new pool's id; it is alive while this engine is open, and beats: see Liveness.

        `patience` is how many seconds to wait for the lock in place of busy_timeout.

        Joins: yes.

        Raises:
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...

    def tell(self, pool: int, *, state: str, size: int, queues: Sequence[str] = ()) -> None:
        """Say what a pool is at, how many workers it wants now, and other queues if given.

        Joins: yes.

        Raises:
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...

    def end(self, pool: int, why: str | None = None) -> None:
        """Strike a pool off; its workers are retired one by one.

        Joins: yes.

        Raises:
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...

    def pools(self) -> list[Pool]:
        """Return all registered pools, oldest first.

        Joins: reads.

        Raises:
            StoreBusy, StoreFailed.
        """
        ...

    def scale(self) -> int | None:
        """Return how many workers each pool is to have; None: as it was started.

        Joins: reads.

        Raises:
            StoreBusy, StoreFailed.
        """
        ...

    def set_scale(self, size: int | None) -> None:
        """Have each pool of this store, also those to come, have so many workers.

        Joins: yes.

        Raises:
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...

    def register(self, pool: int) -> int:
        """Return a new worker's id; it is alive as long as its process has this engine open.

        Joins: yes.

        Raises:
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...

    def report(self, reports: Mapping[int, Report]) -> None:
        """Say what workers are at, by their ids, in one transaction.

        Joins: yes.

        Raises:
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...

    def renew_owned(self, workers: Sequence[int], lease_ms: int) -> dict[int, int]:
        """Renew every lease of these workers that has not expired, in one transaction.

        Each ends `lease_ms` from now, or when it would have if that is later. Returns, for
        the workers that have one, how long the first of theirs to end lasts from now.

        Joins: no.

        Raises:
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...

    def disown(self, worker: int, keep: Collection[int]) -> int:
        """Give back what a worker has claimed, except these fences; return how many.

        For a worker that was not told what became of a claim: it counts as no attempt.

        Joins: yes.

        Raises:
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...

    def take_back(self, worker: int, fences: Collection[int], done: Collection[int] = ()) -> int:
        """Give back claims of a worker that it has not begun; return how many it still held.

        They count as no attempt, and the worker can do nothing more with them. What it has
        `done` without a result is acknowledged; its own ack is then a repeat.

        Joins: yes.

        Raises:
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...

    def retire(
        self,
        worker: int,
        why: str,
        *,
        kind: Literal["stopped", "killed"] = "stopped",
        crashed: bool = False,
        overdue: int | None = None,
        last: Report | None = None,
        progress: Progress | None = None,
    ) -> Retired:
        """Strike a worker off, and give back the claims that it left.

        Args:
            crashed: It ended by its own doing. If it ran one delivery and no other, that
                one is to blame: after `max_crashes` of them it is dead. Several come back
                one after the other, so that the next crash tells more.
            overdue: The delivery that it was killed for. The attempts at others that it
                ran do not count, unless there is to be but one.
            last: What has not been reported of it yet.
            progress: How far it was with its claims. What it had not begun counts as no
                attempt, and what it had done is acknowledged. None: it ran all of them.

        Joins: yes.

        Raises:
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...

    def workers(self) -> list[Worker]:
        """Return all registered workers, oldest first.

        Joins: reads.

        Raises:
            StoreBusy, StoreFailed.
        """
        ...

    def events(
        self, *, worker: int | None = None, pool: int | None = None, limit: int
    ) -> list[Event]:
        """Return at most `limit` of what became of a worker, a pool, or all; newest first.

        Joins: reads.

        Raises:
            StoreBusy, StoreFailed.
        """
        ...
