"""fencepost restore, adopt: a backup or a copy becomes the store."""

from __future__ import annotations

import dataclasses

import click

from ..store.connect import adopt as adopt_store
from ..store.connect import restore as restore_store
from .output import as_json, plain, print_json, the_store


@click.command()
@click.argument("backup", metavar="BACKUP")
@the_store
@as_json
def restore(backup: str, store: str, as_json: bool) -> None:
    """Put a copy of BACKUP in the place of the store, which nobody may have open.

    BACKUP is a file that `fencepost backup` made. The store that was there is kept beside
    it under another name. Work that was done after the backup is done again.

    Example: fencepost restore /backups/hooks-monday.db --store hooks.db
    """
    done = restore_store(backup, store)
    if as_json:
        print_json(dataclasses.asdict(done))
        return
    click.echo(f"restored {plain(done.path)} from {plain(backup)}")
    if done.aside is not None:
        click.echo(f"the store that was there is now {plain(done.aside)}")
    click.echo(f"all leases are ended; fences go on after {done.fence}")


@click.command()
@the_store
@as_json
def adopt(store: str, as_json: bool) -> None:
    """Make a copy that other tools made, such as a volume snapshot, safe to use as the store.

    Ends its leases and moves its fences on, so that no worker of the original can change
    anything here. Nobody may have it open. What `fencepost backup` made needs no adopting.

    Example: fencepost adopt --store hooks.db
    """
    done = adopt_store(store)
    if as_json:
        print_json(dataclasses.asdict(done))
        return
    click.echo(
        f"adopted {plain(done.path)}: {done.leases} leases ended; fences go on after {done.fence}"
    )
