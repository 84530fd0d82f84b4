"""fencepost keys: list, get, delete and clear keyed state."""

from __future__ import annotations

import json
import sys

import click

from ...store import Entry, Keyed, connect
from ...store.errors import StoreCorrupt
from ..options import as_json, row_limit, the_store
from ..output import plain, print_json, record
from ..table import print_table

_owner = click.argument("owner")
_namespace = click.argument("namespace")

# No command here passes an option of the namespace, so none records one.


@click.group()
def keys() -> None:
    """List, get, delete and clear keyed state.

    Example: fencepost keys list slack threads
    """


@keys.command("list")
@the_store
@click.argument("owner", required=False)
@click.argument("namespace", required=False)
@click.option("--quarantined", is_flag=True, help="List damaged entries, moved to quarantine.")
@row_limit(50)
@as_json
def list_(
    store: str,
    owner: str | None,
    namespace: str | None,
    quarantined: bool,
    limit: int,
    as_json: bool,
) -> None:
    """List the entries of a namespace, or all namespaces.

    Example: fencepost keys list slack threads --limit 10
    """
    if owner is not None and (namespace is None or quarantined):
        raise click.UsageError("name an owner and a namespace, or neither")
    with connect(store, create=False) as opened:
        if owner is not None and namespace is not None:
            found = opened.keyed(owner, namespace).entries(limit=limit)
            rows = [record(entry) for entry in found]
            columns: tuple[str, ...] = ("key", "value", "created_at", "expires_at")
        elif quarantined:
            rows = [record(thing) for thing in opened.quarantined(limit=limit)]
            columns = ("id", "place", "why", "found_at")
        else:
            rows = [record(space) for space in opened.namespaces(limit=limit)]
            columns = ("owner", "name", "rows", "max_entries", "ttl", "overflow")
            columns += ("owner_rows", "owner_max_entries")
    if as_json:
        print_json(rows)
        return
    shown = [{**row, "value": _text(row["value"])} if "value" in row else row for row in rows]
    print_table(columns, [[row[column] for column in columns] for row in shown])


@keys.command()
@the_store
@_owner
@_namespace
@click.argument("key")
@as_json
def get(store: str, owner: str, namespace: str, key: str, as_json: bool) -> None:
    """Print the value of a key as JSON; with --json the whole entry.

    Example: fencepost keys get slack threads C024BE91L
    """
    with connect(store, create=False) as opened:
        entry = _entry(opened.keyed(owner, namespace), key)
    if as_json:
        print_json(record(entry))
    else:
        click.echo(_text(entry.value))


@keys.command()
@the_store
@_owner
@_namespace
@click.argument("keys", nargs=-1, required=True, metavar="KEY...")
def delete(store: str, owner: str, namespace: str, keys: tuple[str, ...]) -> None:
    """Delete keys; exit 1 when one was not there.

    Example: fencepost keys delete slack threads C024BE91L
    """
    missing = False
    with connect(store, create=False) as opened:
        keyed = opened.keyed(owner, namespace)
        for key in keys:
            if keyed.delete(key):
                click.echo(f"deleted {plain(key)}")
            else:
                missing = True
                click.echo(f"Error: {_missing(keyed, key)}", err=True)
    if missing:
        sys.exit(1)


@keys.command()
@the_store
@_owner
@_namespace
def clear(store: str, owner: str, namespace: str) -> None:
    """Delete all entries of a namespace, and keep its options.

    Example: fencepost keys clear slack threads
    """
    with connect(store, create=False) as opened:
        removed = opened.keyed(owner, namespace).clear()
    click.echo(f"deleted {removed}")


def _entry(keyed: Keyed, key: str) -> Entry:
    try:
        entry = keyed.observe(key).entry
    except StoreCorrupt as error:
        raise click.ClickException(str(error)) from error
    if entry is None:
        raise click.ClickException(_missing(keyed, key))
    return entry


def _missing(keyed: Keyed, key: str) -> str:
    return f"there is no key {plain(key)} in {keyed.owner}/{keyed.name}"


def _text(value: object) -> str:
    return json.dumps(value)
