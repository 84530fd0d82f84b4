"""The messages of one call, and which of them have failed."""

from __future__ import annotations

from typing import Any

from ...store import Claim, Message, Store
from ...store.errors import InvalidInput
from ...store.naming import verbs


class Failed(Exception):
    """A message of a call has failed, as the handler says in words."""


class SomeFailed(BaseException):
    """The handler has returned, and some of its messages have failed."""

    def __init__(self, errors: dict[int, BaseException], result: object) -> None:
        super().__init__(f"{len(errors)} messages failed")
        self.errors = errors
        self.result = result


@verbs
class Grouped:
    """The part of a context for handlers that take several messages."""

    store: Store
    attempt: int
    completed: bool
    _claim: Claim
    _closed: bool
    # The deliveries that have failed by themselves; None in a handler of one message.
    _failed: dict[int, BaseException] | None = None
    _latest_only = False

    def fail(self, message: Message, error: str | BaseException) -> None:
        """Have one message of a handler with `coalesce` tried again; the others are done.

        It counts once the handler returns: the message has made an attempt, and comes back
        alone after its backoff, or is a dead letter, as if a handler of it alone had raised
        the error. It gives up its place in the order. If the handler raises, all of its messages
        have failed.

        Args:
            message: One of the messages of this call.
            error: What went wrong: an exception, or words.

        Raises:
            InvalidInput: The handler has no `coalesce`, the message is of another call, or the
                call has ended or is within `transaction()`, which acknowledges all.
        """
        if self._failed is None:
            raise InvalidInput("ctx.fail is for handlers with coalesce; raise the error")
        if self._closed or self.completed:
            raise InvalidInput("ctx.fail after the end of the attempt")
        if self.store.engine.transactions.is_open():
            raise InvalidInput("ctx.fail within a transaction")
        if not isinstance(error, str | BaseException):
            raise InvalidInput(f"an error must be an exception or a str, not {error!r}")
        self._failed[self._delivery(message)] = Failed(error) if isinstance(error, str) else error

    def join(self, *, latest_only: bool = False) -> list[Message]:
        """Return the messages of this call: its handler takes several."""
        self._failed = {}
        self._latest_only = latest_only
        if latest_only:
            self._claim.take_newest()
            self.attempt = self._claim.attempt
        return self._claim.messages

    def joined(self, result: object) -> object:
        """Return the result of a handler that takes several messages.

        Raises:
            SomeFailed: It has called `fail`.
        """
        if self._failed and not self.completed:
            if self._latest_only:
                raise self._failed[self._claim.id]
            raise SomeFailed(self._failed, result)
        return result

    def _refuse_joined(self, what: str) -> None:
        if self._failed is not None:
            raise InvalidInput(f"{what} in a handler with coalesce: the next call may have others")

    def _delivery(self, message: Any) -> int:
        claim = self._claim
        if message is claim.message:
            return claim.id
        for each in claim.joined:
            if message is each.message:
                return each.id
        raise InvalidInput("the message is none of this call's", operation="fail")
