"""What one attempt remembers and is remembered of, in its parts."""

from __future__ import annotations

from collections.abc import Callable

from ...store import Claim
from ...store.engine import Engine
from ...store.local_lease import LocalLease
from .calls import Calls
from .guard import Guard
from .journal import Journal
from .sleeps import Sleeps
from .values import Values


class Steps:
    """The steps of one attempt; in the handler's own thread."""

    def __init__(
        self,
        claim: Claim,
        engine: Engine,
        lease: LocalLease,
        *,
        code: str | None,
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
        self.journal = Journal(claim, engine, code)
        self.guard = Guard(self.journal, engine, thread)
        self.calls = Calls(claim, engine, lease, self.journal, self.guard, key=key, check=check)
        self.sleeps = Sleeps(claim, engine, self.journal, self.guard)
        self.values = Values(claim, engine, self.journal)
