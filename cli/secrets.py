"""fencepost secrets: list, rotate and retire what signs the URLs of waits."""

from __future__ import annotations

import click

from ..store import connect
from .options import as_json, the_store
from .output import iso, print_json
from .table import print_table


@click.group()
def secrets() -> None:
    """List, rotate and retire the secrets that sign the URLs of ctx.wait_url.

    Example: fencepost secrets rotate
    """


@secrets.command("list")
@the_store
@as_json
def list_(store: str, as_json: bool) -> None:
    """List the secrets by their numbers; the newest one signs.

    Example: fencepost secrets list --json
    """
    with connect(store, create=False) as opened:
        found = opened.engine.durable.waits.secrets()
    rows = [
        {
            "id": each.id,
            "signs": each.id == found[-1].id,
            "made_at": iso(each.made_at_ms / 1000),
            "retired_at": None if each.retired_at_ms is None else iso(each.retired_at_ms / 1000),
        }
        for each in found
    ]
    if as_json:
        print_json(rows)
        return
    columns = ("id", "signs", "made_at", "retired_at")
    print_table(columns, [[row[column] for column in columns] for row in rows])


@secrets.command()
@the_store
def rotate(store: str) -> None:
    """Make a new secret, which signs for the messages that come from now on.

    Handlers in progress keep their URLs, and URLs that are out stay good, until their secret
    is retired. A store has at most 255 secrets in its life.

    Example: fencepost secrets rotate
    """
    with connect(store, create=False) as opened:
        new = opened.engine.durable.waits.rotate()
    click.echo(f"secret {new.id} signs from now on")


@secrets.command()
@the_store
@click.argument("id", type=click.IntRange(1, 255))
def retire(store: str, id: int) -> None:
    """End a secret: URLs that it has signed are refused from now on.

    A handler in progress that wakes later gets another URL. If it gave the old one to a step
    as an argument, the delivery is a dead letter: replay it with --from that step.

    The newest cannot be retired: rotate first.

    Example: fencepost secrets retire 1
    """
    with connect(store, create=False) as opened:
        if not opened.engine.durable.waits.retire(id):
            raise click.ClickException(
                f"secret {id} is not there, is retired already, or is the one that signs"
            )
    click.echo(f"retired secret {id}")
