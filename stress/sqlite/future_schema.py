"""The code of a version to come, with steps that are made up, for one process."""

from __future__ import annotations

import contextlib
from pathlib import Path

import apsw

from ...store.sqlite.file import schema
from . import census

STEPS = (
    """
alter table fp_worker add column note text;
create table fp_digest (message_id integer primary key, sha256 blob not null) strict;
insert into fp_digest select id, body_sha256 from fp_message;
""",
    """
create table fp_place (queue text primary key, rows integer not null) strict, without rowid;
insert into fp_place select name, ready + done from fp_queue;
drop index fp_delivery_ended;
alter table fp_delivery add column weight integer not null default 0 check (weight >= 0);
create index fp_delivery_ended on fp_delivery (queue, state, id, weight)
  where state in ('dead', 'cancelled');
update fp_delivery set weight = id;
""",
)

# So many are in a store before it is migrated.
MESSAGES = 40

# Of each version: how many rows of before its step has not brought along.
_MISSING = (
    "select 0",
    f"select {MESSAGES} - count(*) from fp_digest",  # noqa: S608 - a constant
    f"""
select
  (select count(*) from fp_delivery where weight <> id and id <= {MESSAGES})
  + (select count(*) from fp_queue where name not in (select queue from fp_place))
""",  # noqa: S608 - a constant
)


def plant() -> None:
    """Have this process know two schema versions more than the product does."""
    today = schema.ddl()
    schema.MIGRATIONS = (*schema.MIGRATIONS, *STEPS)
    schema.ddl = lambda: today + "".join(STEPS)
    schema.bring_up_to_date.__defaults__ = (schema.MIGRATIONS,)
    schema._expected.cache_clear()


def verdict(path: Path, least: int, most: int) -> str:
    """Return "ok" for a store that is wholly of one version, else what is wrong with it.

    Args:
        least, most: So many of the steps must have been taken.
    """
    taken = census.version(path) - _first_version()
    if not least <= taken <= most:
        return f"version {census.version(path)}, after {taken} of {len(STEPS)} steps"
    if census.tables(path) != _tables(taken):
        return f"version {census.version(path)} with the tables of another"
    if (missing := census.ask(path, _MISSING[taken])) != [(0,)]:
        return f"version {census.version(path)}, and {missing[0][0]} rows were not brought along"
    return census.integrity(path)


def _first_version() -> int:
    return len([step for step in schema.MIGRATIONS if step not in STEPS]) + 1


def _tables(taken: int) -> list[tuple[object, ...]]:
    today = schema.ddl().removesuffix("".join(STEPS))
    with contextlib.closing(apsw.Connection(":memory:")) as scratch:
        scratch.execute(today + "".join(STEPS[:taken]))
        return scratch.execute(census.TABLES).fetchall()
