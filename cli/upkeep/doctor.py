"""fencepost doctor: check a store, and quarantine a damaged one."""

from __future__ import annotations

import sys

import click

from ...store import connect
from ...store.connect import quarantine
from ...store.errors import FencepostError
from ...store.types.probe import ProbeStep
from ..options import as_json, the_store
from ..output import plain, print_json, record
from ..table import print_table
from .neglected import neglected


@click.command()
@the_store
@as_json
@click.option("--quarantine", "set_aside", is_flag=True, help="Rename a damaged store instead.")
def doctor(store: str, as_json: bool, set_aside: bool) -> None:
    """Test the store and check its whole file.

    The exit code is 1 when something is wrong. It also warns of queues that hold work and
    have no running pool, of messages that no route matches, and of sources with many
    conflicts: at least 10 known keys, and more than 1 %, came again with another body.

    --quarantine renames a damaged store with all its files. No process may have it open.
    The next process that opens the store creates an empty one. It knows no keys, so
    redelivered webhooks are handled again.

    Example: fencepost doctor --store hooks.db
    """
    if set_aside:
        aside = quarantine(store)
        if as_json:
            print_json({"quarantined": aside})
        else:
            click.echo(f"renamed to {plain(aside)}")
        return
    steps = _examine(store)
    ok = all(step.ok for step in steps)
    if as_json:
        print_json({"ok": ok, "steps": [record(step) for step in steps]})
    else:
        print_table(
            ("step", "verdict", "detail"),
            [(step.name, _verdict(step), step.detail) for step in steps],
            whole=("detail",),
        )
    if not ok:
        sys.exit(1)


def _examine(store: str) -> list[ProbeStep]:
    steps: list[ProbeStep] = []
    try:
        with connect(store, create=False) as opened:
            steps.append(ProbeStep("open", True, opened.address))
            steps += [*opened.probe().steps, *opened.examine()]
            steps += neglected(opened)
    except FencepostError as error:
        steps.append(ProbeStep("reading" if steps else "open", False, str(error)))
    return steps


def _verdict(step: ProbeStep) -> str:
    if not step.ok:
        return "FAILED"
    return "warning" if step.warning else "ok"
