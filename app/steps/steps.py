"""What one attempt remembers and is remembered of, in its parts."""

from __future__ import annotations

from collections.abc import Callable

from ...store import Claim
from ...store.engine import Engine
from ...store.local_lease import LocalLease
from .calls.calls import Calls
from .facts import AppFacts
from .guard import Guard
from .journal import Journal
from .sleeping.sleeps import Sleeps
from .values import Values
from .waiting.events import Events
from .waiting.waits import Waits


class Steps:
    """The steps of one attempt; in the handler's own thread."""

    def __init__(
        self,
        claim: Claim,
        engine: Engine,
        lease: LocalLease,
        *,
        app: AppFacts,
        key: Callable[[], str],
        thread: int,
        check: Callable[[], None],
    ) -> None:
        """Take what the context knows.

        Args:
            key: Returns the idempotency key of the delivery.
            thread: The handler's.
            check: Raises what the handler is interrupted with.
        """
        self.journal = Journal(claim, engine, app.version)
        self.guard = Guard(self.journal, engine, thread)
        self.calls = Calls(claim, engine, lease, self.journal, self.guard, key=key, check=check)
        self.sleeps = Sleeps(claim, engine, self.journal, self.guard)
        self.waits = Waits(claim, engine, self.journal, self.guard, self.sleeps, app.url)
        self.events = Events(claim, engine, self.journal, self.guard, self.sleeps, app.keeps_bodies)
        self.values = Values(claim, engine, self.journal)
