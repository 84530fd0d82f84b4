"""fencepost schedules: list schedules, with their next times, and remove old ones."""

from __future__ import annotations

import sys
import time
from typing import Any

import click

from ...store import connect
from ...store.types.schedule import KnownSchedule
from ..options import as_json, the_store
from ..output import iso, plain, print_json, record
from ..table import print_table


@click.group()
def schedules() -> None:
    """List schedules, with their next times, and remove old ones.

    Example: fencepost schedules list
    """


@schedules.command("list")
@the_store
@as_json
def list_(store: str, as_json: bool) -> None:
    """List the schedules of all apps that have run on the store, by name.

    Without a running pool that declares it, a schedule has no next time: nothing is enqueued
    until such a pool starts. A schedule that no app has any more stays until you remove it.

    Example: fencepost schedules list --json
    """
    with connect(store, create=False) as opened:
        found = [_shown(schedule) for schedule in opened.schedules()]
    if as_json:
        print_json(found)
        return
    print_table(
        ("name", "spec", "timezone", "missed", "last_at", "next_at", "pools"),
        [
            (
                *(each[name] for name in ("name", "spec", "timezone", "missed")),
                *(each["last_at"], each["next_at"]),
                ", ".join(map(str, each["pools"])) or f"none since {each['seen_at']}",
            )
            for each in found
        ],
    )


_KEPT = {
    "running": "a running pool enqueues for it; take it out of the app and reload the pool first",
    "unknown": "there is no such schedule",
}


@schedules.command()
@the_store
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
def remove(store: str, names: tuple[str, ...]) -> None:
    """Forget schedules that no app has any more.

    Messages that they have enqueued stay, and are handled. Exits with 1 if one was not
    removed: there is none of that name, or a running pool enqueues for it.

    Example: fencepost schedules remove nightly_report
    """
    kept = False
    with connect(store, create=False) as opened:
        for name in names:
            said = opened.remove_schedule(name)
            if said == "removed":
                click.echo(f"removed {name}")
            else:
                kept = True
                click.echo(f"Error: cannot remove {plain(name)}: {_KEPT[said]}", err=True)
    if kept:
        sys.exit(1)


def _shown(schedule: KnownSchedule) -> dict[str, Any]:
    return {**record(schedule), "pools": list(schedule.pools), "next_at": iso(_next(schedule))}


def _next(schedule: KnownSchedule) -> float | None:
    """Return the next planned time; None for none, or in a zone that is not known here."""
    from ...app.schedules.schedule import times

    if not schedule.pools:
        return None
    after_ms = round(max(schedule.last_at, time.time()) * 1000)
    try:
        at_ms = next(times(schedule.spec, schedule.timezone, after_ms), None)
    except LookupError:
        return None
    return None if at_ms is None else at_ms / 1000
