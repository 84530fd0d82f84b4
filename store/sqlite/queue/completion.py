"""The transaction of a handler: the caller's writes and the ack of the claim commit together."""

from __future__ import annotations

from types import TracebackType

from ...engine import Hold
from ..session import damage
from ..session.session import Session, Write
from .holding import require_to_end
from .joins import back
from .settle import ack


class Completion:
    """A `with` block; see fencepost.store.engine.queue.verbs.QueueVerbs.completion.

    Nobody can claim the delivery while the transaction holds the write lock, so what was true
    at its beginning is true at its end.
    """

    __slots__ = ("_block", "_hold", "_session", "_write")

    def __init__(self, session: Session, hold: Hold) -> None:
        self._session = session
        self._hold = hold
        self._block = session.write("transaction", joins=False, nests=True)

    def __enter__(self) -> Write:
        self._write = self._block.__enter__()
        try:
            self._require()
        except BaseException as error:
            self._block.__exit__(type(error), error, error.__traceback__)
            raise
        return self._write

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            try:
                self._ack()
            except BaseException as failure:
                self._block.__exit__(type(failure), failure, failure.__traceback__)
                raise
        self._block.__exit__(kind, error, traceback)

    @damage.tells_as("transaction")
    def _require(self) -> None:
        require = back.require_to_end if self._hold.joined else require_to_end
        require(self._write, self._hold, "transaction")

    @damage.tells_as("transaction")
    def _ack(self) -> None:
        ack(self._write, self._hold, None)
