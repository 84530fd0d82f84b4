"""fencepost migrate: upgrade a store to the newest schema."""

from __future__ import annotations

import click

from ...store.connect import migrate as run
from ..options import the_store
from ..output import plain


@click.command()
@the_store
@click.option("--dry-run", is_flag=True, help="Try the migration on a private copy.")
def migrate(store: str, dry_run: bool) -> None:
    """Upgrade the store to the newest schema.

    Each step is one transaction. Opening a store upgrades it too.

    Example: fencepost migrate --store hooks.db --dry-run
    """
    done = run(store, dry_run=dry_run)
    click.echo(f"{plain(done.path)}: found schema version {done.found}")
    before = done.found
    for version in done.steps:
        click.echo(f"{before} -> {version}: {'works on a copy' if dry_run else 'done'}")
        before = version
    if not done.steps:
        click.echo("nothing to do")
