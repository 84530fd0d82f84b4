"""The baseline: APSW doing the least that gives a caller the same rows.

It keeps a unique key for each message after its end, bumps a fence and sets a token at each
claim, acks only what both still name, and syncs each commit. It keeps no counters, caps,
lanes, priorities, delays, retention, headers, hashes or attempts, takes back no expired lease,
and translates no error. Its settings are those of APSW, with a WAL and synchronous=full.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, cast

import apsw

RawError = apsw.Error

_LEASE_MS = 60_000

_SCHEMA = """
create table raw_message (
  id integer primary key,
  key text not null unique,
  body blob,
  state integer not null default 0, -- 0 ready, 1 leased, 2 done
  fence integer not null default 0,
  token blob,
  lease_until_ms integer
) strict;

create index raw_ready on raw_message (id) where state = 0;

create table raw_effect (key text, fence integer) strict;
"""


class RawClaims(NamedTuple):
    """What one claim gave: rows of id, key, body and fence, and the token of all of them."""

    token: bytes
    rows: list[tuple[int, str, bytes, int]]


class Raw:
    """A queue in a database of its own, with the fewest statements that keep its rows right."""

    def __init__(self, path: Path, *, stable_plans: bool = False) -> None:
        """Create the database.

        Args:
            stable_plans: Turn on SQLite's query planner stability guarantee (QPSG), as the
                store does. Without it the claim, whose LIMIT is a parameter, is compiled anew
                at each call.
        """
        self._connection = apsw.Connection(str(path))
        self._connection.pragma("journal_mode", "wal")
        self._connection.pragma("synchronous", 2)
        if stable_plans:
            self._connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
        self._connection.execute(_SCHEMA)
        self._run = self._connection.execute
        self._run_many = self._connection.executemany

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    _INSERT = "insert into raw_message (key, body) values (?, ?) on conflict do nothing"

    def enqueue(self, keys: Sequence[str], body: bytes) -> None:
        """Store a message for each key that is new, in one transaction."""
        self._run("begin immediate")
        self._run_many(self._INSERT, [(key, body) for key in keys])
        self._run("commit")

    _CLAIM = """
    update raw_message
    set state = 1, fence = fence + 1, token = ?, lease_until_ms = ?
    where id in (select id from raw_message where state = 0 order by id limit ?)
    returning id, key, body, fence
    """

    def claim(self, limit: int) -> RawClaims:
        """Lease the oldest messages, in one transaction."""
        token = secrets.token_bytes(16)
        self._run("begin immediate")
        until_ms = time.time_ns() // 1_000_000 + _LEASE_MS
        rows = self._run(self._CLAIM, (token, until_ms, limit)).fetchall()
        self._run("commit")
        return RawClaims(token, cast("list[tuple[int, str, bytes, int]]", rows))

    _ACK = """
    update raw_message
    set state = 2, body = null, lease_until_ms = null
    where id = ? and fence = ? and token = ? and state = 1
    """

    def ack(self, claims: RawClaims) -> None:
        """Mark messages done, in one transaction, and fail unless all were still leased."""
        self._run("begin immediate")
        before = self._connection.total_changes()
        self._run_many(self._ACK, [(id, fence, claims.token) for id, _, _, fence in claims.rows])
        assert self._connection.total_changes() - before == len(claims.rows)
        self._run("commit")

    _EFFECT = "insert into raw_effect values (?, ?)"

    def complete(self, claims: RawClaims) -> None:
        """Insert a row for each message, each in a transaction of its own with the ack."""
        for id, key, _, fence in claims.rows:
            self._run("begin immediate")
            self._run(self._EFFECT, (key, fence))
            self._run(self._ACK, (id, fence, claims.token))
            assert self._connection.changes() == 1
            self._run("commit")
