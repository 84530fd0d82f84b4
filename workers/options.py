"""The options of a pool, as `fencepost work` and App.work take them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..store.errors import InvalidInput
from ..store.types.validate import count, milliseconds
from ..store.types.worker import MAX_WORKERS
from .worker.recycle import Recycle


@dataclass(frozen=True, slots=True)
class PoolOptions:
    """The options of a pool; times are in seconds.

    Attributes:
        workers: How many worker processes; None for none at all, 0 for none until an operator
            scales the pool.
        autoscale: The bounds of a number that follows the load, in place of `workers`.
        queues: Only these; None for all that the app has handlers for.
        drain: End when every delivery of the queues is done, dead or cancelled.
        lease: Of each claim; it is renewed after a third of it.
        grace: From SIGTERM until handlers are cancelled. Kubernetes and Heroku kill after
            30 s, which leaves time to release the claims.
        start_timeout: A process that is not up after this is replaced.
        max_handled, max_memory, max_age: As in Recycle.
        reload: Reload the app whenever one of its files changes.
    """

    workers: int | None = 4
    autoscale: tuple[int, int] | None = None
    queues: Sequence[str] | None = None
    drain: bool = False
    lease: float = 30.0
    grace: float = 25.0
    start_timeout: float = 60.0
    max_handled: int | None = None
    max_memory: int | None = None
    max_age: float | None = None
    reload: bool = False

    @property
    def recycle(self) -> Recycle:
        """The limits at which a worker is replaced."""
        return Recycle(self.max_handled, self.max_memory, self.max_age)

    def check(self) -> None:
        """Raise InvalidInput for options that make no sense."""
        for number in (self.workers or 0, *(self.autoscale or ())):
            count(number, "workers", least=0, most=MAX_WORKERS)
        if self.autoscale is not None and self.autoscale[0] > self.autoscale[1]:
            raise InvalidInput("autoscale must be MIN and MAX, in that order")
        milliseconds(self.lease, "lease", least=1)
        milliseconds(self.grace, "grace")
        milliseconds(self.start_timeout, "start_timeout", least=1)
