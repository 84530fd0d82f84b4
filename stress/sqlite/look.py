"""What is in a store's file, read by a connection and statements of the harness's own."""

from __future__ import annotations

from typing import Any, NamedTuple

import apsw

_DELIVERIES = """
select d.message_id, d.id, d.queue, m.key, d.state, d.attempt, d.fence, d.token,
       d.settled_token, d.lease_until_ms, d.due_at_ms, coalesce(m.expires_at_ms, d.expires_at_ms)
from fp_delivery as d
join fp_message as m on m.id = d.message_id
"""

_FIRST = "select min(id) from fp_delivery where message_id = ?"

_LEASES = "select name, owner, fence, token, settled_token, expires_at_ms from fp_lease"

_ONCE = "select key, state, fence, token, settled_token, expires_at_ms, result from fp_once"

_ENTRIES = """
select n.name, e.key, e.value, e.expires_at_ms
from fp_entry as e
join fp_namespace as n on n.id = e.namespace
"""


class Row(NamedTuple):
    """A delivery with its message; times in milliseconds on the store's clock."""

    message: int
    delivery: int
    queue: str
    key: str | None
    state: str
    attempt: int
    fence: int
    token: str | None
    settled: str | None
    until: int | None
    due: int | None
    forgotten_at: int | None


class Seen(NamedTuple):
    """All that a store holds, as of one moment.

    Attributes:
        leases: (owner, fence, token, settled token, expiry) by name.
        once: (state, fence, token, settled token, expiry, result) by key.
        entries: (value, expiry) by namespace and key.
    """

    deliveries: dict[int, Row]
    leases: dict[str, tuple[str, int, str | None, str | None, int]]
    once: dict[str, tuple[str, int, str | None, str | None, int, str | None]]
    entries: dict[tuple[str, str], tuple[str, int | None]]
    effects: dict[str, int]


class Unreadable(Exception):
    """The file cannot be read, or its tables are not those of a store."""


class Look:
    """Reads a whole store at once; for small ones."""

    def __init__(self, path: str, effects: str) -> None:
        """Open it; `effects` is a table that counts the rows of each `name`."""
        # On the real files: what is looked at is neither counted nor failed.
        flags = apsw.SQLITE_OPEN_READWRITE
        self._connection = apsw.Connection(path, flags=flags, vfs="unix")
        # To write what is in the WAL into the database is not a reader's business.
        self._connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        self._effects = f"select name, count(*) from {effects} group by name"  # noqa: S608

    def at(self) -> Seen:
        """Return what is committed.

        Raises:
            Unreadable: It cannot be said.
        """

        def run(sql: str) -> list[Any]:
            try:
                return self._connection.execute(sql).fetchall()
            except apsw.Error as error:
                raise Unreadable(f"{type(error).__name__}: {error}") from error

        return Seen(
            deliveries={row[0]: Row(*row) for row in run(_DELIVERIES)},
            leases={row[0]: row[1:] for row in run(_LEASES)},
            once={row[0]: row[1:] for row in run(_ONCE)},
            entries={row[:2]: row[2:] for row in run(_ENTRIES)},
            effects=dict(run(self._effects)),
        )

    def delivery_of(self, message: int) -> int:
        """Return the first delivery of a message, 0 when it has none."""
        found: int = self._connection.execute(_FIRST, (message,)).get or 0
        return found

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
