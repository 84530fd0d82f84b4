"""fencepost doctor: is this store well?"""

from __future__ import annotations

import sys

import click

from ..store import connect
from ..store.errors import FencepostError
from ..store.probe import ProbeStep
from .output import as_json, print_json, print_table, record, the_store


@click.command()
@the_store
@as_json
def doctor(store: str, as_json: bool) -> None:
    """Try what a store must be able to do, and check the whole file; exit 1 on a finding.

    Example: fencepost doctor --store hooks.db
    """
    steps = _examine(store)
    ok = all(step.ok for step in steps)
    if as_json:
        print_json({"ok": ok, "steps": [record(step) for step in steps]})
    else:
        print_table(
            ("step", "verdict", "detail"),
            [(step.name, _verdict(step), step.detail) for step in steps],
        )
    if not ok:
        sys.exit(1)


def _examine(store: str) -> list[ProbeStep]:
    try:
        with connect(store, create=False) as opened:
            opening = ProbeStep("open", True, opened.engine.path)
            engine = opened.engine
            return [opening, *opened.probe().steps, engine.integrity(), *engine.upkeep.audit()]
    except FencepostError as error:
        return [ProbeStep("open", False, str(error))]


def _verdict(step: ProbeStep) -> str:
    if not step.ok:
        return "FAILED"
    return "warning" if step.warning else "ok"
