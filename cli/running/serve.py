"""fencepost serve: the receiver alone."""

from __future__ import annotations

import click

from ...workers import PoolOptions
from .options import address_options, log_options, make_folder_option
from .start import configure_log, load, receive


@click.command()
@click.argument("target")
@make_folder_option
@address_options
@log_options
def serve(
    target: str,
    make_folder: bool,
    host: str,
    port: int,
    log_level: str,
    log_format: str | None,
) -> None:
    """Run only the receiver of TARGET.

    Example: fencepost serve hooks.py --port 8000
    """
    configure_log(log_level, log_format)
    loaded, app = load(target, make_folder)
    receive(loaded, app, host, port, PoolOptions(workers=None))
