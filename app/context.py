"""The second argument of a handler."""

from __future__ import annotations

import functools
import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from ..store import Claim, Store, Transaction
from ..store.errors import InvalidInput, LeaseLost
from ..store.local_lease import LocalLease
from ..store.naming import verbs
from ..store.types.validate import Duration
from .joins.group import Grouped
from .sending.sends import Sends
from .steps import counting
from .steps.facts import NO_FACTS, AppFacts
from .steps.guard import inside
from .steps.proof import Proof
from .steps.remembering import Remembering
from .steps.steps import Steps
from .steps.transaction import AckedTransaction


@verbs
class Context(Grouped, Remembering, Sends):
    """One attempt at one delivery: the second argument of a handler.

    Attributes:
        store: The open store, for example for `ctx.store.queue("mail")`.
        attempt: 1 for the first attempt.
        fence: A number greater than that of every earlier claim of this delivery. Pass it to
            systems that can refuse a number smaller than one they have seen.
        completed: True once `transaction()` has committed.
        told: True once the store has refused a call because the lease is lost.
    """

    def __init__(
        self,
        claim: Claim,
        store: Store,
        lease: LocalLease,
        check: Callable[[], None] = lambda: None,
        app: AppFacts = NO_FACTS,
        at_most_once: bool = False,
    ) -> None:
        """Take the claim.

        Args:
            check: Raises what the handler is interrupted with.
            app: What it is to know of its app.
            at_most_once: The handler must not begin twice.
        """
        self._claim = claim
        self._lease = lease
        self._check = check
        self._app = app
        self._at_most_once = at_most_once
        self._thread = threading.get_ident()
        self._durable: Steps | None = None
        self._tally: dict[str, int] | None = None
        self._tally_before: dict[str, int] | None = None
        self._closed = False
        self.store = store
        self.attempt = claim.attempt
        self.fence = claim.fence
        self.completed = False
        self.told = False

    @functools.cached_property
    def idempotency_key(self) -> str:
        """The same for every attempt at this delivery, and different for every other delivery.

        As long as the delivery's key is kept. Pass it to services that you call.
        """
        return _idempotency_key(self._claim)

    @property
    def lost(self) -> bool:
        """True once the lease is lost, or could not be renewed in time: stop working."""
        return self._lease.lost

    def extend(self, lease: Duration) -> None:
        """Extend the lease to at least `lease` seconds from now.

        The supervisor renews the lease anyway. This is for a handler that should keep
        running if the store cannot be reached for that long.

        Raises:
            LeaseLost: Another worker has claimed the delivery; stop working.
        """
        with self._telling():
            asked_ms = self.store.engine.clock.stopwatch_ms()
            self._claim.renew(lease)
        # A renewal in the handler's own transaction may still be rolled back.
        if not self.store.engine.transactions.is_open():
            self._lease.extend(asked_ms + self._claim.lasts_ms)
        self._check()

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Open a transaction, for a `with` block, that commits together with the ack.

        Your writes and the ack both commit or neither does, so the writes happen exactly
        once. After the block the delivery is done. Keep the block short: compute first, then
        write, because other writers wait for it.

        Raises:
            LeaseLost: Another worker has claimed the delivery; nothing was written.
        """
        return AckedTransaction(
            self._claim,
            before=self._before_transaction,
            check=self._check,
            ended=self._transaction_ended,
        )

    @property
    def suspended(self) -> bool:
        """True once the attempt ends in a sleep: for clean-ups that only the real end needs."""
        return self._durable is not None and self._durable.sleeps.suspended

    def suspend(self) -> None:
        """Put the delivery to sleep, once its handler has ended.

        Raises:
            LeaseLost: Another worker has claimed the delivery; nothing was changed.
        """
        assert self._durable is not None
        self._durable.sleeps.suspend()

    def count(self, name: str, by: int = 1) -> None:
        """Add to a counter, which `Store.counters` returns.

        It is added in the commit with which the delivery becomes done, or, within a step with
        `in_transaction=True`, with the record of that step. So an attempt that fails adds
        nothing, and each delivery is counted once. A counter stops at 2**63 - 1.

        Args:
            name: 1 to 200 printable characters. A counter is kept for ever, so do not put
                ids into its name. An attempt adds to at most 1,000.
            by: 0 or more.

        Raises:
            InvalidInput: It is called within another step or in another thread, or an
                argument is not usable.
        """
        if self._closed or self.completed:
            raise InvalidInput("ctx.count after the end of the attempt")
        if threading.get_ident() != self._thread:
            raise InvalidInput("ctx.count in another thread than the handler's")
        counts = self._counting()
        if self._durable is not None:
            counts = self._durable.guard.counts(counts)
        counting.add(counts, name, by)

    @property
    def counted(self) -> Mapping[str, int]:
        """What the ack adds to counters: what the attempt has counted outside of steps."""
        return self._tally or {}

    @property
    def ends_with(self) -> BaseException | None:
        """What the attempt ends with, whatever the handler returns or raises."""
        if self._durable is not None and self._durable.journal.stuck is not None:
            return self._durable.journal.stuck
        return self._changed

    @property
    def _place(self) -> str:
        self._refuse_joined("ctx.send without a key")
        return self.idempotency_key if inside.get() is None else self.step_key

    def proof(self, folder: str) -> Proof:
        """Return what other processes of this attempt record steps with; `folder` is theirs."""
        hold = self._claim.hold
        store = self.store.engine.identity.address
        return Proof(store, hold.id, hold.fence, hold.token, folder, self._app.version)

    def note_steps(self) -> None:
        """Have the records deleted that another process has written, once the delivery is done."""
        self._claim.note_steps()

    def close(self) -> None:
        """Refuse all that is remembered from now on: the attempt has ended."""
        self._closed = True

    def _counting(self) -> dict[str, int]:
        if self._tally is None:
            self._tally = {}
            self._claim.note_counts(self._tally)
        return self._tally

    def _steps(self, operation: str, *, inside: bool = False) -> Steps:
        self._refuse_joined(f"ctx.{operation}")
        if self._closed or self.completed:
            raise InvalidInput(f"ctx.{operation} after the end of the attempt", operation=operation)
        if self._durable is None:
            self._durable = Steps(
                self._claim,
                self.store.engine,
                self._lease,
                app=self._app,
                key=lambda: self.idempotency_key,
                thread=self._thread,
                check=self._check,
            )
        if not inside:
            self._durable.guard.check(operation)
        return self._durable

    def _sleeper(self, operation: str) -> Steps:
        steps = self._steps(operation)
        if self._at_most_once:
            raise InvalidInput(
                f"ctx.{operation} in a handler with at_most_once: it would begin again",
                operation=operation,
            )
        return steps

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except LeaseLost as error:
            self._learn(error)
            raise

    def _learn(self, error: LeaseLost) -> None:
        # Not for a named lease that the handler holds, nor for another store.
        refused = self._claim.hold.what, self.store.engine.identity.store_id
        if (error.what, error.store_id) == refused:
            self._lease.refused = self.told = True

    def _before_transaction(self) -> None:
        if self._failed:
            raise InvalidInput(
                "ctx.transaction after ctx.fail: it acknowledges all messages",
                operation="transaction",
            )
        if self._durable is not None:
            self._durable.guard.check("transaction")
        self._tally_before = dict(self._tally) if self._tally else None

    def _transaction_ended(self, error: BaseException | None) -> None:
        if error is None:
            self.completed = True
            return
        if self._tally:
            self._tally.clear()
            self._tally.update(self._tally_before or {})
        if isinstance(error, LeaseLost):
            self._learn(error)


def _idempotency_key(claim: Claim) -> str:
    message = claim.message
    # A copy has to be handled again; a delivery that was moved is still the same.
    its_own = message.key is None or message.copy_of is not None
    key = f"id:{message.id}" if its_own else f"key:{message.key}"
    parts = "\0".join((claim.origin, message.source or "", key))
    return hashlib.sha256(parts.encode()).hexdigest()
