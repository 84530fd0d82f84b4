"""Steps: what a handler does once, and is told the outcome of in every later attempt."""

from __future__ import annotations

import asyncio
import contextvars
import hashlib
import hmac
import inspect
import threading
import weakref
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from ...store import Claim
from ...store.engine import Engine
from ...store.errors import FencepostError, InvalidInput, LeaseLost, OutcomeUnknown
from ...store.local_lease import LocalLease
from ...store.types.step import StepKind, StepRecord
from . import outcome
from .fingerprint import fingerprint
from .journal import Journal
from .shared_commits import written

_CALLS: tuple[StepKind, ...] = ("call", "error")

# The steps that the running code is inside; a task that a step has started has it as well.
_within: contextvars.ContextVar[_Asked | None] = contextvars.ContextVar("within", default=None)


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """A step that the handler has asked for."""

    name: str
    occurrence: int
    record: StepRecord | None
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    sha256: bytes
    arguments: str
    recorded: tuple[type[Exception], ...]
    in_transaction: bool


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
        self._claim = claim
        self._engine = engine
        self._lease = lease
        self._key = key
        self._thread = thread
        self._interrupted = check
        self._drawn = 0
        self._owners: dict[str, weakref.ref[asyncio.Task[Any]]] = {}

    def step(
        self,
        name: str,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        *,
        in_transaction: bool,
        record: object,
    ) -> Any:
        """Return the outcome, or in a running event loop an awaitable of it."""
        check_name(name)
        if not callable(function):
            raise InvalidInput(f"a step calls a function, not {function!r}", operation="step")
        task = current_task()
        self._own(name, task)
        sha256, arguments = fingerprint(args, kwargs)
        recorded = outcome.check_recorded(record)
        occurrence, found = self.journal.ask(name, _CALLS, sha256, arguments)
        asked = _Asked(
            *(name, occurrence, found, function, args, kwargs, sha256, arguments),
            *(recorded, in_transaction),
        )
        return self._run(asked) if task is None else self._run_async(asked)

    def check(self, operation: str) -> None:
        """Refuse a call that must not be made here, or not any more.

        Raises:
            InvalidInput: It is made within a step, a transaction or another thread.
            BaseException: What the attempt ends with, once more.
        """
        if threading.get_ident() != self._thread:
            raise InvalidInput(f"ctx.{operation} in another thread than the handler's")
        if self.journal.stuck is not None:
            raise self.journal.stuck
        if (inside := _within.get()) is not None:
            raise InvalidInput(f"ctx.{operation} within step {inside.name!r}", operation=operation)
        if self._engine.transactions.is_open():
            raise InvalidInput(
                f"ctx.{operation} within a transaction: for writes and a record in one commit,"
                " use ctx.step(..., in_transaction=True)",
                operation=operation,
            )

    @property
    def key(self) -> str:
        """The idempotency key of the step that runs."""
        if (inside := _within.get()) is None:
            raise InvalidInput("ctx.step_key is of a step: use it in the step's function")
        parts = "\0".join((self._key(), inside.name, str(inside.occurrence)))
        return hashlib.sha256(parts.encode()).hexdigest()

    def now(self) -> float:
        """Return Unix seconds, recorded with the next step."""
        occurrence, found = self.journal.ask("", ("now",))
        if found is None:
            now_ms = self._engine.clock.now_ms()
            found = self.journal.new("", occurrence, "now", str(now_ms))
            self.journal.later(found)
        assert isinstance(found.outcome, str)
        return int(found.outcome) / 1000

    def draw(self) -> bytes:
        """Return 32 bytes that are equal in every attempt; nothing is recorded."""
        self._drawn += 1
        what = f"{self._claim.id}/{self._drawn}".encode()
        return hmac.digest(self._engine.durable.steps.seed(), what, "sha256")

    def _own(self, name: str, task: asyncio.Task[Any] | None) -> None:
        """Refuse a name that another task uses: their occurrences would depend on the timing."""
        if task is None:
            return
        owner = self._owners[name]() if name in self._owners else None
        if owner is not None and owner is not task and not owner.done():
            raise InvalidInput(
                f"two tasks ask for step {name!r} at a time: give each a name of its own",
                operation="step",
            )
        self._owners[name] = weakref.ref(task)

    def _run(self, asked: _Asked) -> Any:
        if asked.record is not None:
            return self._replay(asked.record)
        self._prepare()
        if asked.in_transaction:
            return self._run_in_transaction(asked)
        inside = _within.set(asked)
        try:
            found: Any = asked.function(*asked.args, **asked.kwargs)
            if inspect.isawaitable(found):
                _close(found)
                raise InvalidInput(f"step {asked.name!r} is a coroutine, and its handler is none")
            record = self._succeeded(asked, found)
        except Exception as error:  # noqa: BLE001 - it may be an outcome
            record = self._failed(asked, error)
        finally:
            _within.reset(inside)
        self.journal.write(self.journal.take(record))
        return self._replay(record)

    async def _run_async(self, asked: _Asked) -> Any:
        if asked.record is not None:
            return self._replay(asked.record)
        self._prepare()
        if asked.in_transaction:
            return self._run_in_transaction(asked)
        inside = _within.set(asked)
        try:
            found: Any = asked.function(*asked.args, **asked.kwargs)
            if inspect.isawaitable(found):
                found = await found
            # From here to the record's place in a commit nothing is awaited: no cancellation
            # comes between.
            record = self._succeeded(asked, found)
        except Exception as error:  # noqa: BLE001 - it may be an outcome
            record = self._failed(asked, error)
        finally:
            _within.reset(inside)
        records = self.journal.take(record)
        await written(self._engine, self._claim.hold, records)
        return self._replay(record)

    def _run_in_transaction(self, asked: _Asked) -> Any:
        """Commit the function's writes and the record, or neither."""
        journal, record = self.journal, None
        while record is None:
            inside = _within.set(asked)
            try:
                with self._engine.durable.steps.transaction(self._claim.hold) as step:
                    found: Any = asked.function(step.tx, *asked.args, **asked.kwargs)
                    if inspect.isawaitable(found):
                        _close(found)
                        raise InvalidInput(f"step {asked.name!r} in a transaction is a coroutine")
                    record = self._succeeded(asked, found)
                    journal.mark()
                    step.record(record)
            except OutcomeUnknown:
                assert record is not None, "nothing else commits"
                if not journal.is_there(record):
                    journal.undo(record)
                    record = None  # the writes are not there either
            except Exception as error:  # noqa: BLE001 - it may be an outcome
                if record is not None:
                    journal.undo(record)
                failed = self._failed(asked, error)
                journal.write(journal.take(failed))
                return self._replay(failed)
            finally:
                _within.reset(inside)
        return self._replay(record)

    def _prepare(self) -> None:
        """Let no function run under a claim that is known to be lost."""
        self._interrupted()
        self._require_lease()
        self.journal.flush()

    def _require_lease(self) -> None:
        lease, hold = self._lease, self._claim.hold
        left_ms = lease.ends_ms - self._engine.clock.stopwatch_ms()
        # The store is asked only once the renewals are late.
        if lease.lost or (
            left_ms * 6 < self._claim.lasts_ms and not self._engine.durable.steps.holds(hold)
        ):
            raise LeaseLost(
                hold.what,
                cause="expired" if lease.lost else "superseded",
                operation="step",
                path=self._engine.identity.address,
                store_id=self._engine.identity.store_id,
            )

    def _succeeded(self, asked: _Asked, value: object) -> StepRecord:
        try:
            return self._record(asked, "call", outcome.encode(value))
        except FencepostError as error:
            self.journal.stuck = type(error)(
                f"step {asked.name!r} ran, and what it returned could not be kept: {error}",
                operation="step",
            )
            raise self.journal.stuck from error

    def _failed(self, asked: _Asked, error: Exception) -> StepRecord:
        """Return the record of an error, or raise it on."""
        if error is self.journal.stuck or not outcome.is_recorded(error, asked.recorded):
            raise error
        return self._record(asked, "error", outcome.encode_error(error))

    def _record(self, asked: _Asked, kind: StepKind, encoded: str | bytes) -> StepRecord:
        return self.journal.new(
            asked.name, asked.occurrence, kind, encoded, asked.sha256, asked.arguments
        )

    def _replay(self, record: StepRecord) -> Any:
        """Return or raise what is recorded, the first time as every other time."""
        if record.kind != "error":
            return outcome.decode(record.outcome)
        assert isinstance(record.outcome, str)
        raise outcome.decode_error(record.outcome)


def check_name(name: object) -> None:
    """Refuse what cannot be the name of a step."""
    if not isinstance(name, str) or not 1 <= len(name) <= 200 or not name.isprintable():
        raise InvalidInput(
            f"a step's name has 1 to 200 printable characters, not {name!r}", operation="step"
        )


def current_task() -> asyncio.Task[Any] | None:
    """Return the running task, None in code that is not run by an event loop."""
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None


def _close(awaitable: Awaitable[Any]) -> None:
    if isinstance(awaitable, Coroutine):
        awaitable.close()
