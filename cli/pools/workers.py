"""fencepost workers: list worker processes, and show what happened to one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import click

from ...store import connect
from ...store.types.worker import Event, Worker
from ..options import as_json, row_limit, the_store
from ..output import iso, mebibytes, plain, print_json, record
from ..table import print_table

COLUMNS = ("pool", "worker", "pid", "state", "on", "for", "handled", "memory")


@click.group()
def workers() -> None:
    """List worker processes, and show what happened to one.

    Example: fencepost workers list
    """


@workers.command("list")
@the_store
@as_json
def list_(store: str, as_json: bool) -> None:
    """List the workers of all pools, oldest first.

    Example: fencepost workers list --json
    """
    with connect(store, create=False) as opened:
        found, now = opened.workers(), opened.now()
    if as_json:
        print_json([record(worker) for worker in found])
    else:
        print_table(COLUMNS, rows(found, now))


@workers.command()
@the_store
@click.argument("id", type=click.IntRange(1, 2**63 - 1))
@row_limit(50)
@as_json
def show(store: str, id: int, limit: int, as_json: bool) -> None:
    """Show a worker and what happened to it, newest first, also after it has ended.

    The last 10,000 entries of all workers are kept.

    Example: fencepost workers show 7
    """
    with connect(store, create=False) as opened:
        found = next((worker for worker in opened.workers() if worker.id == id), None)
        events = opened.events(worker=id, limit=limit)
    if found is None and not events:
        raise click.ClickException(f"no worker has id {id}, and none in the event log had")
    facts = _ended(id, events) if found is None else record(found)
    if as_json:
        print_json({**facts, "events": [record(event) for event in events]})
        return
    for fact, value in facts.items():
        click.echo(f"{fact}: {plain(value)}")
    click.echo()
    print_table(
        ("happened_at", "kind", "delivery", "fence", "detail"),
        [
            (
                *(iso(event.happened_at), event.kind),
                None if event.delivery is None else f"d{event.delivery}",
                *(event.fence, event.detail),
            )
            for event in events
        ],
        whole=("happened_at", "kind", "delivery"),
    )


def rows(workers: Iterable[Worker], now: float) -> list[Sequence[object]]:
    """Return a table row for each worker, with COLUMNS."""
    return [
        (
            *(worker.pool, worker.id, worker.pid, worker.state),
            None if worker.delivery is None else f"{worker.queue} d{worker.delivery}",
            None if worker.busy_since is None else f"{max(0, now - worker.busy_since):.1f} s",
            *(worker.handled, mebibytes(worker.memory)),
        )
        for worker in workers
    ]


def _ended(id: int, events: Sequence[Event]) -> dict[str, Any]:
    """Return what the events say about a worker that has ended."""
    last = events[0]
    return {"id": id, "pool": last.pool, "pid": last.pid, "state": last.kind}
