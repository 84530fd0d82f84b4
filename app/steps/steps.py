"""What one attempt remembers and is remembered of, in its parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ...store import Claim
from ...store.engine import Engine
from ...store.local_lease import LocalLease
from .calls import Calls
from .guard import Guard
from .journal import Journal
from .sleeps import Sleeps
from .values import Values
from .waits import Waits


class AppFacts(NamedTuple):
    """What a context knows of its app.

    Attributes:
        version: What the app calls this state of its code.
        url: Below which senders reach `/resume/<token>`.
    """

    version: str | None = None
    url: str | None = None


NO_FACTS = AppFacts()


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
        self.values = Values(claim, engine, self.journal)
