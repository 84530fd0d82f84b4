"""fencepost backup: copy a store while processes use it."""

from __future__ import annotations

import os

import click

from ...store import connect
from ..options import the_store
from ..output import plain


@click.command()
@click.argument("dest", metavar="DEST")
@the_store
def backup(dest: str, store: str) -> None:
    """Copy the store to DEST, a new file, while processes use it.

    Leases in the copy are ended, so that two stores do not work on the same claims.

    Example: fencepost backup --store hooks.db /backups/hooks-monday.db
    """
    with connect(store, create=False) as opened:
        path = opened.backup(dest)
    click.echo(f"{plain(path)}: {os.stat(path).st_size} bytes")
