"""fencepost leases: list named leases and release them."""

from __future__ import annotations

import click

from ...store import connect
from ..options import as_json, row_limit, the_store
from ..output import plain, print_json, record
from ..table import print_table


@click.group()
def leases() -> None:
    """List named leases, and release them by hand.

    Example: fencepost leases list
    """


@leases.command("list")
@the_store
@row_limit(1000)
@as_json
def list_(store: str, limit: int, as_json: bool) -> None:
    """List leases by name.

    An expired lease is listed until its name is acquired again, for at most a day.

    Example: fencepost leases list --json
    """
    with connect(store, create=False) as opened:
        found = [record(lease) for lease in opened.leases.list(limit=limit)]
    if as_json:
        print_json(found)
        return
    columns = ("name", "live", "owner", "fence", "acquired_at", "expires_at")
    print_table(columns, [[lease[column] for column in columns] for lease in found])


@leases.command()
@the_store
@click.argument("name")
def release(store: str, name: str) -> None:
    """End a lease, so that another process can acquire it.

    The holder gets LeaseLost from then on.

    Example: fencepost leases release deploy
    """
    with connect(store, create=False) as opened:
        if not opened.leases.free(name):
            raise click.ClickException(f"no process holds the lease {plain(name)}")
    click.echo(f"released {plain(name)}")
