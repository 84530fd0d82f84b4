"""fencepost sql: run one read-only statement."""

from __future__ import annotations

import math
from collections.abc import Sequence

import click

from ..store import connect
from ..store.errors import SqlError
from .options import as_json, row_limit, the_store
from .output import print_json
from .table import print_table

_SECONDS = 60


@click.command()
@the_store
@click.argument("statement")
@row_limit(1000)
@as_json
def sql(store: str, statement: str, limit: int, as_json: bool) -> None:
    """Run one read-only SQL statement and print its rows.

    It waits for no transaction and takes no lock that a writer needs. It refuses a
    statement that would change something, with exit code 2. It stops after 60 s.

    Example: fencepost sql "select queue, count(*) from fp_delivery group by queue"
    """
    with connect(store, create=False) as opened:
        try:
            table = opened.table(statement, timeout=_SECONDS, limit=limit)
        except SqlError as error:
            raise click.UsageError(f"SQL error: {error}") from error
    if as_json:
        names = _distinct(table.columns)
        print_json([dict(zip(names, map(_jsonable, row), strict=True)) for row in table.rows])
    else:
        print_table(table.columns, [[_readable(value) for value in row] for row in table.rows])
    if table.more:
        click.echo(f"stopped at {limit} rows; there are more (--limit)", err=True)


def _distinct(columns: Sequence[str]) -> list[str]:
    """Make column names distinct: a, a, b become a, a_2, b."""
    names: list[str] = []
    for column in columns:
        name, number = column, 1
        while name in names:
            number += 1
            name = f"{column}_{number}"
        names.append(name)
    return names


def _jsonable(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return _readable(value)


def _readable(value: object) -> object:
    """Return bytes as text, or, if they are not UTF-8, as an SQL literal."""
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        return f"x'{value.hex()}'"
