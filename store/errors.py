"""The errors: one class for each thing that a caller can do about it."""

from __future__ import annotations

from typing import Any


class FencepostError(Exception):
    """The base class of all errors that Fencepost raises.

    Attributes:
        code: A stable string, one for each class.
        operation: The name of the call that failed.
        path: The store's address; "" if no store is involved.
    """

    code = "error"

    def __init__(self, message: str, *, operation: str = "", path: str = "") -> None:
        super().__init__(message)
        self.operation = operation
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (type(self), self.args, self.__dict__)


class InvalidInput(FencepostError, ValueError):
    """An argument is not usable; nothing was changed."""

    code = "invalid_input"


class Unsupported(InvalidInput):
    """The store's database has another way to do this; nothing was begun.

    Attributes:
        instead: What to use, in one line.
    """

    code = "unsupported"

    def __init__(self, verb: str, engine: str, *, instead: str, path: str = "") -> None:
        super().__init__(f"{engine} stores have no {verb}: {instead}", operation=verb, path=path)
        self.instead = instead


class LimitExceeded(FencepostError):
    """Something is larger than its limit; nothing was stored."""

    code = "limit_exceeded"


class QueueFull(FencepostError):
    """The queue is at its cap; nothing was stored.

    Attributes:
        queue: The queue's name.
        retry_after: Seconds to wait before the next try.
    """

    code = "queue_full"

    def __init__(self, queue: str, holds: str, *, operation: str, path: str) -> None:
        super().__init__(f"queue {queue} is full: it holds {holds}", operation=operation, path=path)
        self.queue = queue
        self.retry_after = 5.0


class ImportFailed(FencepostError):
    """`register_many` stopped before the end; `__cause__` says why.

    Attributes:
        committed: How many entries, counted from the first, are stored.
    """

    code = "import_failed"

    def __init__(self, message: str, *, committed: int, operation: str, path: str) -> None:
        super().__init__(message, operation=operation, path=path)
        self.committed = committed


class StoreOpenFailed(FencepostError):
    """The store cannot be opened at this path; nothing was changed."""

    code = "store_open_failed"


class StoreInUse(StoreOpenFailed):
    """`sqlite3.connect` or `open()` was refused on a store that this process has open.

    When the other library closed the file, the kernel would drop the store's locks on it,
    and the store could be damaged. Nothing was opened. Read with `Store.read`, write with
    `Store.transaction`, or use another process.
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
    """The file belongs to another program or to a newer Fencepost; it was not changed.

    Attributes:
        found: The schema version of the file.
        supported: The newest schema version that this Fencepost knows.
    """

    code = "schema_unsupported"

    def __init__(self, message: str, *, found: int, supported: int, path: str) -> None:
        super().__init__(message, operation="open", path=path)
        self.found = found
        self.supported = supported


class StoreCorrupt(FencepostError):
    """The file is damaged, or is not a store. `fencepost doctor` says more.

    Attributes:
        is_store: False if what is there was never a store, or is damaged at its very beginning.
    """

    code = "store_corrupt"

    def __init__(
        self, message: str, *, operation: str = "", path: str = "", is_store: bool = True
    ) -> None:
        super().__init__(message, operation=operation, path=path)
        self.is_store = is_store


class StoreBusy(FencepostError):
    """The write lock was not free within busy_timeout; nothing was changed.

    Attributes:
        waited: Seconds.
        holders: The pids of the processes that have the lock, if the kernel names them.
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
    """The disk is full, or a quota is reached; nothing was changed."""

    code = "store_full"


class StoreFailed(FencepostError):
    """Reading or writing the file failed; nothing was changed."""

    code = "store_failed"


class OutcomeUnknown(FencepostError):
    """The commit failed, and the change may be stored or not.

    Repeat the call with the same key, claim or lease. Its answer is then certain.
    """

    code = "outcome_unknown"


class ForkedStore(FencepostError):
    """A store that was opened before fork() was used in the child process.

    Open the store in the child instead. If the parent was in a transaction when it forked,
    the child cannot open it either: start the child by spawn.
    """

    code = "forked_store"


class SqlError(FencepostError):
    """An SQL statement of yours failed or is not allowed."""

    code = "sql_error"


class KeyConflict(FencepostError):
    """The key is known with another payload; nothing was changed."""

    code = "key_conflict"


class LeaseHeld(FencepostError):
    """Another owner holds the lease; nothing was changed.

    Attributes:
        holder: The owner that holds it.
        expires_at: When it expires unless it is renewed, in Unix seconds on the store's clock.
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
    """The caller no longer holds the lease. Nothing was changed; drop the result.

    Attributes:
        what: The delivery, key or name.
        cause: "superseded": another caller has claimed it since. "settled": this same claim
            was ended before, in another way. "revoked": an operator replayed or cancelled
            the delivery, or its last attempt expired and it is dead. "missing": its row was
            deleted. For a named lease also "expired", and "released" by its holder or an
            operator.
        store_id: Of the store that refused.
    """

    code = "lease_lost"

    def __init__(
        self, what: str, *, cause: str, operation: str = "", path: str = "", store_id: str = ""
    ) -> None:
        super().__init__(
            f"{operation} refused: the lease on {what} is lost ({cause})",
            operation=operation,
            path=path,
        )
        self.what = what
        self.cause = cause
        self.store_id = store_id


# The same call may succeed later: wait, and call again.
PASSING: tuple[type[FencepostError], ...] = (
    StoreBusy,
    StoreFull,
    StoreFailed,
    StoreOpenFailed,
    OutcomeUnknown,
)


def _again(
    kind: type[FencepostError], args: tuple[Any, ...], facts: dict[str, Any]
) -> FencepostError:
    """Make an error that was pickled, whatever it was made with at first."""
    error = kind.__new__(kind, *args)
    error.__dict__.update(facts)
    return error
