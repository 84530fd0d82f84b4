"""fencepost sweep: delete expired rows."""

from __future__ import annotations

import click

from ...store import connect
from ..options import as_json, the_store
from ..output import print_json
from ..table import print_table


@click.command()
@the_store
@as_json
def sweep(store: str, as_json: bool) -> None:
    """Delete expired rows, and print how many of each kind.

    Running pools do this too, a few rows at a time.

    Example: fencepost sweep --store hooks.db
    """
    with connect(store, create=False) as opened:
        removed = opened.sweep_all()
    if as_json:
        print_json({"removed": removed})
    else:
        print_table(("kind", "removed"), removed.items())
