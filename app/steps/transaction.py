"""The block of `ctx.transaction()`: no generator, because each message may have one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType

from ...store import Claim, Transaction


class AckedTransaction:
    """A `with` block of a transaction that commits together with the ack of a claim."""

    __slots__ = ("_before", "_block", "_check", "_claim", "_ended")

    def __init__(
        self,
        claim: Claim,
        *,
        before: Callable[[], None],
        check: Callable[[], None],
        ended: Callable[[BaseException | None], None],
    ) -> None:
        """Take what the context knows.

        Args:
            before: Raises if there must be none now.
            check: Raises what the handler is interrupted with.
            ended: Called with None once it is committed, and with an error that leaves it.
        """
        self._claim = claim
        self._before = before
        self._check = check
        self._ended = ended
        self._block: AbstractContextManager[Transaction]

    def __enter__(self) -> Transaction:
        self._before()
        self._block = block = self._claim.transaction()
        try:
            tx = block.__enter__()
            try:
                self._check()  # not earlier: the transaction had to be open
            except BaseException as error:
                block.__exit__(type(error), error, error.__traceback__)
                raise
        except BaseException as error:
            self._ended(error)
            raise
        return tx

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._block.__exit__(kind, error, traceback)
        except BaseException as failure:
            self._ended(failure)
            raise
        self._ended(error)
