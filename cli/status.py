"""fencepost status: what waits, and who works."""

from __future__ import annotations

import dataclasses
from itertools import groupby

import click

from ..store import connect
from .output import as_json, print_json, print_table, record, the_store


@click.command()
@the_store
@as_json
def status(store: str, as_json: bool) -> None:
    """Show the queues and the pools that work on them.

    Example: fencepost status --store hooks.db
    """
    with connect(store, create=False) as opened:
        queues = opened.stats()
        workers = opened.workers()
    if as_json:
        pools = [
            {"pool": pool, "workers": [record(worker) for worker in members]}
            for pool, members in groupby(
                sorted(workers, key=lambda worker: (worker.pool, worker.id)),
                key=lambda worker: worker.pool,
            )
        ]
        by_name = {name: dataclasses.asdict(stats) for name, stats in queues.items()}
        print_json({"queues": by_name, "pools": pools})
        return
    counts = ("ready", "scheduled", "leased", "done", "dead", "cancelled", "oldest_ready_age")
    print_table(
        ("queue", *counts),
        [(name, *(getattr(stats, count) for count in counts)) for name, stats in queues.items()],
    )
    click.echo()
    print_table(
        ("pool", "worker", "pid", "state", "handled", "since"),
        [
            (worker.pool, worker.id, worker.pid, worker.state, worker.handled, since)
            for worker in workers
            for since in [record(worker)["started_at"]]
        ],
    )
