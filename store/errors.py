"""Every error a caller can meet: one class for each thing that can be done about it."""

from __future__ import annotations

from typing import Any


class FencepostError(Exception):
    """The root of all errors raised on purpose.

    Attributes:
        code: A stable string, one for each class.
        operation: The verb that failed.
        path: The store's address; "" only where there is none, as of a Retry with a bad time.
    """

    code = "error"

    def __init__(self, message: str, *, operation: str = "", path: str = "") -> None:
        super().__init__(message)
        self.operation = operation
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (type(self), self.args, self.__dict__)


class InvalidInput(FencepostError, ValueError):
    """The arguments make no sense; nothing was begun."""

    code = "invalid_input"


class LimitExceeded(FencepostError):
    """A size is over its limit; nothing was stored."""

    code = "limit_exceeded"


class QueueFull(FencepostError):
    """The queue is at its cap; nothing was stored.

    Attributes:
        retry_after: Seconds after which to try again.
    """

    code = "queue_full"

    def __init__(self, queue: str, holds: str, *, operation: str, path: str) -> None:
        super().__init__(f"queue {queue} is full: it holds {holds}", operation=operation, path=path)
        self.queue = queue
        self.retry_after = 5.0


class ImportFailed(FencepostError):
    """Many entries were to be stored, and not all are; the cause says why.

    Attributes:
        committed: So many of them, from the first on, are stored.
    """

    code = "import_failed"

    def __init__(self, message: str, *, committed: int, operation: str, path: str) -> None:
        super().__init__(message, operation=operation, path=path)
        self.committed = committed


class StoreOpenFailed(FencepostError):
    """The store cannot be opened where it is; nothing was changed."""

    code = "store_open_failed"


class StoreInUse(StoreOpenFailed):
    """Another SQLite library, or open(), was to open a store that this process has open.

    At its close the kernel would drop the locks that this process holds on the file, and
    the store would be damaged; nothing was opened.
    """

    code = "store_in_use"

    def __init__(self, path: str, operation: str) -> None:
        super().__init__(
            f"{operation} was refused: this process has {path} open as a store, and a second"
            " SQLite library or file handle that closes the file would drop the store's locks"
            " and damage it; read with store.read(...) or `fencepost sql`, write with"
            " store.transaction(), or use a separate process",
            operation=operation,
            path=path,
        )


class SchemaUnsupported(FencepostError):
    """The file is of another program or a newer Fencepost; it was left untouched."""

    code = "schema_unsupported"

    def __init__(self, message: str, *, found: int, supported: int, path: str) -> None:
        super().__init__(message, operation="open", path=path)
        self.found = found
        self.supported = supported


class StoreCorrupt(FencepostError):
    """The file is damaged or is not a store."""

    code = "store_corrupt"


class StoreBusy(FencepostError):
    """No write lock within busy_timeout; nothing was changed.

    Attributes:
        waited: Seconds.
        holders: The pids of who has the lock, as far as the kernel names them.
    """

    code = "store_busy"

    def __init__(
        self, *, operation: str, path: str, waited: float, holders: tuple[int, ...] = ()
    ) -> None:
        by = f"; held by pid {', '.join(str(pid) for pid in holders)}" if holders else ""
        super().__init__(
            f"{path} is busy: no write lock for {operation} in {waited:.1f} s{by}",
            operation=operation,
            path=path,
        )
        self.waited = waited
        self.holders = holders


class StoreFull(FencepostError):
    """The disk or the file's quota is full; nothing was changed."""

    code = "store_full"


class StoreFailed(FencepostError):
    """The file could not be read or written; nothing was changed."""

    code = "store_failed"


class OutcomeUnknown(FencepostError):
    """COMMIT raised: the change is there, or is not, or returns after a power loss.

    Call again with the same key, claim or lease: the answer is then certain.
    """

    code = "outcome_unknown"


class ForkedStore(FencepostError):
    """A store opened before fork() was used in the child; open one there instead.

    After a fork within a transaction that is refused too: start the child by spawn.
    """

    code = "forked_store"


class SqlError(FencepostError):
    """A statement given to Transaction.execute failed or is not allowed there."""

    code = "sql_error"


class KeyConflict(FencepostError):
    """The key was claimed with another payload; nothing was changed."""

    code = "key_conflict"


class LeaseHeld(FencepostError):
    """Somebody else holds it; nothing was changed.

    Attributes:
        holder: Its owner.
        expires_at: Unix seconds on the store's clock; its owner may renew it.
        retry_after: Seconds from now until then.
    """

    code = "lease_held"

    def __init__(
        self,
        what: str,
        *,
        holder: str,
        expires_at: float,
        retry_after: float,
        operation: str,
        path: str,
    ) -> None:
        super().__init__(
            f"{what} is held by {holder} for {retry_after:.1f} s, unless renewed",
            operation=operation,
            path=path,
        )
        self.holder = holder
        self.expires_at = expires_at
        self.retry_after = retry_after


class LeaseLost(FencepostError):
    """The lease is no longer the caller's; nothing was changed, so drop the result.

    Attributes:
        cause: "superseded" (someone claimed it since), "settled" (it was acked,
            retried, released, buried or completed with this very lease), "revoked" (an
            operator replayed or cancelled it, or its last attempt expired and it is dead),
            "missing" (its row is gone); of a named lease also "expired" and "released" (by
            its holder or an operator).
    """

    code = "lease_lost"

    def __init__(self, what: str, *, cause: str, operation: str = "", path: str = "") -> None:
        super().__init__(
            f"{operation} refused: the lease on {what} is lost ({cause})",
            operation=operation,
            path=path,
        )
        self.what = what
        self.cause = cause


def _again(
    kind: type[FencepostError], args: tuple[Any, ...], facts: dict[str, Any]
) -> FencepostError:
    """Make an error that was pickled, whatever it was made with at first."""
    error = kind.__new__(kind, *args)
    error.__dict__.update(facts)
    return error
