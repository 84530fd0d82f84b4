"""fencepost up: the receiver and the workers together."""

from __future__ import annotations

from typing import Any

import click

from ...workers import PoolOptions
from .options import (
    address_options,
    choose_number_of_workers,
    log_options,
    make_folder_option,
    pool_options,
)
from .start import configure_log, load, receive


@click.command()
@click.argument("target")
@pool_options
@make_folder_option
@address_options
@click.option(
    "--reload", is_flag=True, help="For development: reload the app when one of its files changes."
)
@log_options
def up(
    target: str,
    make_folder: bool,
    host: str,
    port: int,
    log_level: str,
    log_format: str | None,
    **pool: Any,
) -> None:
    """Run the receiver and the workers of TARGET.

    A message that fails is retried for 3 days: ten attempts within 15 minutes, later ones at
    most 1 h apart. Handlers may set max_attempts, retry_for and backoff.

    Example: fencepost up hooks.py --workers 4 --port 8000
    """
    configure_log(log_level, log_format)
    choose_number_of_workers(pool)
    loaded, app = load(target, make_folder)
    receive(loaded, app, host, port, PoolOptions(**pool))
