"""The exceptions that a handler may raise or get."""

from __future__ import annotations

from ..store.types.validate import Duration, milliseconds


class Retry(Exception):
    """Raise it in a handler to retry the delivery `after` this many seconds.

    It counts as a failed attempt, so after the last attempt the delivery is dead. Without
    `after` the handler's backoff applies.
    """

    def __init__(self, after: Duration | None = None, reason: str = "retry asked for") -> None:
        super().__init__(reason)
        if after is not None:
            milliseconds(after, "after")
        self.after = after


class Discard(Exception):
    """Raise it in a handler to make the delivery a dead letter at once, without retries."""


class SoftTimeout(Exception):
    """Raised in a handler that runs longer than its `soft_timeout`.

    If the handler catches it and returns, the delivery is done. Otherwise the attempt has
    failed, and the delivery is retried.
    """


class Cancelled(BaseException):
    """Raised in a handler when its worker must stop now.

    The delivery becomes ready again, and the attempt does not count. With `at_most_once` the
    delivery becomes a dead letter.
    """
