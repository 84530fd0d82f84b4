"""Steps: what a handler does once, and is told the outcome of in every later attempt."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from ....store import Claim
from ....store.engine import Engine
from ....store.errors import FencepostError, InvalidInput, LeaseLost, OutcomeUnknown
from ....store.local_lease import LocalLease
from ....store.types.durable.step import StepKind, StepRecord
from .. import outcome
from ..guard import Guard, Inside, inside
from ..journal import MOST_TRIES, Journal
from .fingerprint import fingerprint
from .shared_commits import written

_CALLS: tuple[StepKind, ...] = ("call", "error")


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


class Calls:
    """The steps of one attempt that call a function."""

    def __init__(
        self,
        claim: Claim,
        engine: Engine,
        lease: LocalLease,
        journal: Journal,
        guard: Guard,
        *,
        key: Callable[[], str],
        check: Callable[[], None],
    ) -> None:
        """Take what the context knows.

        Args:
            key: Returns the idempotency key of the delivery.
            check: Raises what the handler is interrupted with.
        """
        self._claim = claim
        self._engine = engine
        self._lease = lease
        self._journal = journal
        self._guard = guard
        self._key = key
        self._interrupted = check

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
        task = self._guard.name(name)
        if not callable(function):
            raise InvalidInput(f"a step calls a function, not {function!r}", operation="step")
        sha256, arguments = fingerprint(args, kwargs)
        recorded = outcome.check_recorded(record)
        occurrence, found = self._journal.ask(name, _CALLS, sha256, arguments)
        asked = _Asked(
            *(name, occurrence, found, function, args, kwargs, sha256, arguments),
            *(recorded, in_transaction),
        )
        return self._run(asked) if task is None else self._run_async(asked)

    @property
    def key(self) -> str:
        """The idempotency key of the step that runs."""
        if (step := inside.get()) is None:
            raise InvalidInput(
                "ctx.step_key is of a step: use it in the step's function", operation="step_key"
            )
        parts = (self._key(), step.name, str(step.occurrence), str(self._claim.generation))
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def _run(self, asked: _Asked) -> Any:
        if (record := self._known(asked)) is None:
            record = self._call(asked)
            self._journal.write(self._journal.take(record))
        return self._replay(record)

    async def _run_async(self, asked: _Asked) -> Any:
        if (record := self._known(asked)) is None:
            record = await self._await(asked)
            # Since the function's end nothing was waited for: no cancellation came between.
            await written(self._engine, self._claim.hold, self._journal.take(record))
        return self._replay(record)

    def _known(self, asked: _Asked) -> StepRecord | None:
        """Return what is recorded of it: in an earlier attempt, or now with its transaction."""
        if asked.record is not None:
            return asked.record
        self._prepare()
        return self._run_in_transaction(asked) if asked.in_transaction else None

    def _call(self, asked: _Asked) -> StepRecord:
        token = inside.set(Inside(asked.name, asked.occurrence))
        try:
            found: Any = asked.function(*asked.args, **asked.kwargs)
            if inspect.isawaitable(found):
                _close(found)
                raise InvalidInput(f"step {asked.name!r} is a coroutine, and its handler is none")
            return self._succeeded(asked, found)
        except Exception as error:  # noqa: BLE001 - it may be an outcome
            return self._failed(asked, error)
        finally:
            inside.reset(token)

    async def _await(self, asked: _Asked) -> StepRecord:
        token = inside.set(Inside(asked.name, asked.occurrence))
        try:
            found: Any = asked.function(*asked.args, **asked.kwargs)
            return self._succeeded(asked, await found if inspect.isawaitable(found) else found)
        except Exception as error:  # noqa: BLE001 - it may be an outcome
            return self._failed(asked, error)
        finally:
            inside.reset(token)

    def _run_in_transaction(self, asked: _Asked) -> StepRecord:
        """Commit the function's writes and the record, or neither."""
        journal, record, tries = self._journal, None, 0
        while record is None:
            tries += 1
            counts: dict[str, int] = {}
            token = inside.set(Inside(asked.name, asked.occurrence, counts))
            try:
                with self._engine.durable.steps.transaction(self._claim.hold) as step:
                    found: Any = asked.function(step.tx, *asked.args, **asked.kwargs)
                    if inspect.isawaitable(found):
                        _close(found)
                        raise InvalidInput(f"step {asked.name!r} in a transaction is a coroutine")
                    record = self._succeeded(asked, found)
                    journal.mark()
                    step.record(record)
                    if counts:
                        step.add(counts)
            except OutcomeUnknown:
                if record is None:  # of another store, which the function has called
                    raise
                if not journal.is_there(record):
                    journal.undo(record)
                    record = None  # the writes are not there either
                    if tries == MOST_TRIES:
                        raise
            except Exception as error:  # noqa: BLE001 - it may be an outcome
                if record is not None:
                    journal.undo(record)
                failed = self._failed(asked, error)
                journal.write(journal.take(failed))
                return failed
            finally:
                inside.reset(token)
        return record

    def _prepare(self) -> None:
        """Let no function run under a claim that is known to be lost."""
        self._interrupted()
        self._require_lease()
        self._journal.flush()

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
            raise self._not_kept(asked, "ran, and what it returned", error) from error

    def _failed(self, asked: _Asked, error: Exception) -> StepRecord:
        """Return the record of an error, or raise it on."""
        if error is self._journal.stuck or not outcome.is_recorded(error, asked.recorded):
            raise error
        try:
            return self._record(asked, "error", outcome.encode_error(error))
        except FencepostError as refused:
            said = f"raised {type(error).__name__}, which"
            raise self._not_kept(asked, said, refused) from error

    def _not_kept(self, asked: _Asked, said: str, why: FencepostError) -> BaseException:
        """Return what the attempt ends with: another one would do the work again."""
        self._journal.stuck = type(why)(
            f"step {asked.name!r} {said} could not be kept: {why}",
            operation="step",
            path=self._engine.identity.address,
        )
        return self._journal.stuck

    def _record(self, asked: _Asked, kind: StepKind, encoded: str | bytes) -> StepRecord:
        return self._journal.new(
            asked.name, asked.occurrence, kind, encoded, asked.sha256, asked.arguments
        )

    def _replay(self, record: StepRecord) -> Any:
        """Return or raise what is recorded, the first time as every other time."""
        if record.kind != "error":
            return outcome.decode(record.outcome)
        assert isinstance(record.outcome, str)
        raise outcome.decode_error(record.outcome)


def _close(awaitable: Awaitable[Any]) -> None:
    if isinstance(awaitable, Coroutine):
        awaitable.close()
