"""Looks at a store's file by connections that are not the store's."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import apsw

from ..records.census import Delivery

TABLES = "select type, name, sql from sqlite_schema where sql is not null order by type, name"

_CAPPED = """
select 'entries of ' || owner || '/' || name, max_entries,
  (select count(*) from fp_entry where namespace = fp_namespace.id)
from fp_namespace
where max_entries is not null
union all
select 'entries of ' || name, max_entries,
  (
    select count(*)
    from fp_entry
    join fp_namespace on fp_namespace.id = namespace
    where fp_namespace.owner = fp_owner.name
  )
from fp_owner
where max_entries is not null
union all
select 'deliveries of ' || name, max_rows,
  (select count(*) from fp_delivery where queue = name and state in ('ready', 'leased'))
from fp_queue
where max_rows is not null
union all
select 'bytes of ' || name, max_bytes,
  (
    select coalesce(sum(bytes), 0)
    from fp_delivery
    where queue = name and state in ('ready', 'leased')
  )
from fp_queue
where max_bytes is not null
"""

_MISCOUNTED = """
select 'queue ' || name || ' has ' || rows || ' live deliveries, and says ' || (ready + leased)
from (
  select *,
    (select count(*) from fp_delivery where queue = name and state in ('ready', 'leased')) as rows
  from fp_queue
)
where rows <> ready + leased
union all
select 'queue ' || name || ' has ' || rows || ' sleepers, and says ' || sleeping
from (
  select *,
    (select count(*) from fp_delivery where queue = name and state = 'sleeping') as rows
  from fp_queue
)
where rows <> sleeping
union all
select 'namespace ' || name || ' has ' || rows || ' entries, and says ' || entries
from (
  select *, (select count(*) from fp_entry where namespace = fp_namespace.id) as rows
  from fp_namespace
)
where rows <> entries
"""

_LEFT = """
select 'step ' || name || ' of d' || (id / 65536)
from fp_step
where id / 65536 not in (select id from fp_delivery where state not in ('done', 'cancelled'))
union all
select 'wait ' || name || ' of d' || delivery_id
from fp_wait
where delivery_id not in (select id from fp_delivery where state not in ('done', 'cancelled'))
"""

_DELIVERIES = """
select fp_delivery.queue, fp_message.key, fp_delivery.id, fp_delivery.state, fp_delivery.attempt
from fp_delivery
join fp_message on fp_message.id = message_id
order by fp_delivery.id
"""


class Census:
    """What is really in a store, row by row; each call sees it as of one moment."""

    def __init__(self, path: str | Path) -> None:
        # On the real files: what is looked at is neither counted nor failed.
        flags = apsw.SQLITE_OPEN_READONLY
        self._connection = apsw.Connection(str(path), flags=flags, vfs="unix")
        self._connection.set_busy_timeout(60_000)
        self._path = path

    def capped(self) -> list[tuple[str, int, int]]:
        """Return everything that has a cap: its name, the cap, and how much there is."""
        return self.rows(_CAPPED)

    def miscounted(self) -> list[str]:
        """Return what the counters that the store keeps say wrongly, in words."""
        return [words for (words,) in self.rows(_MISCOUNTED)]

    def verdict(self) -> str:
        """Return "ok", or what is wrong with the file or its counters."""
        damage = [str(says) for (says,) in self.rows("pragma integrity_check") if says != "ok"]
        return "; ".join(damage or self.miscounted()) or "ok"

    def left(self) -> list[str]:
        """Return what is kept of deliveries that cannot run again, in words."""
        return [words for (words,) in self.rows(_LEFT)]

    def deliveries(self, state: str = "") -> list[Delivery]:
        """Return all deliveries, or those in a state, oldest first."""
        where = "where fp_delivery.state = ?\norder by" if state else "order by"
        statement = _DELIVERIES.replace("order by", where)
        return [Delivery(*row) for row in self._run(statement, *filter(None, (state,)))]

    def sizes(self) -> dict[str, int]:
        """Return how many messages there are, and the bytes of the database and of its WAL."""
        sizes = {"rows": self.rows("select count(*) from fp_message")[0][0]}
        for name, suffix in (("WAL", "-wal"), ("database", "")):
            with contextlib.suppress(FileNotFoundError):
                sizes[name] = os.stat(f"{self._path}{suffix}").st_size
        return sizes

    def rows(self, sql: str) -> list[Any]:
        """Return all rows of a statement."""
        return self._run(sql)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _run(self, sql: str, *parameters: str) -> list[Any]:
        return self._connection.execute(sql, parameters).fetchall()


def ask(path: str | Path, sql: str) -> list[Any]:
    """Return the rows of a query."""
    with contextlib.closing(Census(path)) as census:
        return census.rows(sql)


def integrity(path: str | Path) -> str:
    """Return "ok", or what is wrong with the file or its counters."""
    try:
        with contextlib.closing(Census(path)) as census:
            return census.verdict()
    except apsw.Error as error:
        return str(error)


def version(path: str | Path) -> int:
    """Return the schema version that a file says it has."""
    ((found,),) = ask(path, "pragma user_version")
    assert isinstance(found, int)
    return found


def tables(path: str | Path) -> list[tuple[object, ...]]:
    """Return the statements that all tables and indexes were made with."""
    return ask(path, TABLES)
