"""fencepost restore and adopt: use a backup or a copy as the store."""

from __future__ import annotations

import dataclasses

import click

from ...store.connect import adopt as adopt_store
from ...store.connect import restore as restore_store
from ..options import as_json, the_store
from ..output import plain, print_json


@click.command()
@click.argument("backup", metavar="BACKUP")
@the_store
@as_json
def restore(backup: str, store: str, as_json: bool) -> None:
    """Replace the store with a copy of BACKUP.

    BACKUP is a file that `fencepost backup` made. No process may have the store open. The
    old store is kept beside it under another name. Work that was done after the backup is
    done again.

    Example: fencepost restore /backups/hooks-monday.db --store hooks.db
    """
    done = restore_store(backup, store)
    if as_json:
        print_json(dataclasses.asdict(done))
        return
    click.echo(f"restored {plain(done.path)} from {plain(backup)}")
    if done.aside is not None:
        click.echo(f"the old store is now {plain(done.aside)}")
    click.echo(f"all leases are ended; new fences start above {done.fence}")


@click.command()
@the_store
@as_json
def adopt(store: str, as_json: bool) -> None:
    """Make a copy by other tools safe to use as the store.

    Use it for a volume snapshot or a copy by Litestream; a copy by `fencepost backup` does
    not need it. It ends the copy's leases and raises its fences, so that no worker of the
    original can change the copy. No process may have the copy open.

    Example: fencepost adopt --store hooks.db
    """
    done = adopt_store(store)
    if as_json:
        print_json(dataclasses.asdict(done))
        return
    click.echo(
        f"adopted {plain(done.path)}: {done.leases} leases ended; new fences start above {done.fence}"
    )
