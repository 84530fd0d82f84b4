"""fencepost step: run a command once in a command handler."""

from __future__ import annotations

import sys

import click

from ..app.command.steps import LOST, read_proof, run_step
from ..store import connect
from ..store.errors import LeaseLost


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("name")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def step(name: str, command: tuple[str, ...]) -> None:
    """Run COMMAND once, in the program of a command handler.

    Its stdout is recorded, and printed in later attempts in place of running it: text of at
    most 64 KiB, or bytes of at most 1 MiB. Nothing is recorded when it fails; its exit code is
    passed on, or 127 when there is no such command. Exits with 75 when another worker has the
    delivery, and with 100 when the delivery is dead, because NAME was recorded with another
    command or its output cannot be kept.

    NAME again in one run of the program is another step.

    Example: fencepost step charge -- ./charge.sh 42
    """
    proof = read_proof()
    try:
        with connect(proof.store, create=False) as store:
            code = run_step(store, proof, name, command)
    except LeaseLost as error:
        click.echo(f"Error: {error}", err=True)
        code = LOST
    sys.exit(code)
