"""fencepost scale: the number of workers of every pool."""

from __future__ import annotations

import click

from ...store import connect
from ...store.types.worker import MAX_WORKERS, Pool
from ..options import number_or, the_store


@click.command()
@click.argument(
    "workers", metavar="N|auto", callback=number_or("auto", click.IntRange(0, MAX_WORKERS))
)
@the_store
def scale(workers: int | None, store: str) -> None:
    """Set the number of workers of every pool to N.

    The number holds until it is changed, also for pools that start later. With "auto" each
    pool runs as many workers as it was started with.

    Example: fencepost scale 8
    """
    with connect(store, create=False) as opened:
        pools = [pool for pool in opened.pools() if pool.state not in ("stopping", "lost")]
        opened.scale(workers)
    click.echo(_follow(pools, workers))


def _follow(pools: list[Pool], workers: int | None) -> str:
    """Return what the pools will do."""
    if not pools:
        start = (
            "as its options say"
            if workers is None
            else f"with {workers} worker{'s' * (workers != 1)}"
        )
        return f"no pool is running; the next one starts {start}"
    many = len(pools) > 1
    who = f"{len(pools)} pools follow" if many else "1 pool follows"
    if workers is None:
        return f"{who}: {'each ' * many}as it was started"
    now = ", ".join(map(str, sorted({pool.size for pool in pools})))
    return f"{who}: {now} -> {workers} workers{' each' * many}"
