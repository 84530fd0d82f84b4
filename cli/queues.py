"""fencepost scale, pause, resume, limit: steering running pools, through the store."""

from __future__ import annotations

from collections.abc import Callable

import click

from ..store import connect
from ..store.types.worker import MAX_WORKERS, Pool
from .output import plain, the_store

# So that a mistyped name shows.
_NEW = "; the queue did not exist and was created"

# What click hands to a callback of a parameter.
_Convert = Callable[[click.Context, click.Parameter, str], int | None]


def _number_or(word: str, numbers: click.IntRange) -> _Convert:
    def convert(context: click.Context, parameter: click.Parameter, value: str) -> int | None:
        if value == word:
            return None
        number: int = numbers(value, parameter, context)
        return number

    return convert


@click.command()
@click.argument(
    "workers", metavar="N|auto", callback=_number_or("auto", click.IntRange(0, MAX_WORKERS))
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


@click.command()
@click.argument("queue")
@the_store
def pause(queue: str, store: str) -> None:
    """Stop claiming from QUEUE until you resume it.

    Handlers that are already running finish. The receiver keeps accepting messages.

    Example: fencepost pause mail
    """
    with connect(store, create=False) as opened:
        known = opened.pause(queue)
    click.echo(f"paused {queue}{(_NEW + ' as paused') * (not known)}")


@click.command()
@click.argument("queue")
@the_store
def resume(queue: str, store: str) -> None:
    """Claim from a paused QUEUE again.

    Example: fencepost resume mail
    """
    with connect(store, create=False) as opened:
        if not opened.resume(queue):
            raise click.ClickException(f"there is no queue {plain(queue)}")
    click.echo(f"resumed {queue}")


@click.command()
@click.argument("queue")
@click.argument("most", metavar="N|none", callback=_number_or("none", click.IntRange(1, 2**62)))
@the_store
def limit(queue: str, most: int | None, store: str) -> None:
    """Run at most N deliveries of QUEUE at the same time.

    The limit is for all pools together. It holds until it is changed, and overrides
    max_leased of the handler. With "none" the handler's setting counts again.

    Example: fencepost limit mail 2
    """
    with connect(store, create=False) as opened:
        known = opened.limit(queue, most)
        now = opened.queue(queue).stats().max_leased
    said = "no limit" if now is None else f"at most {now} at the same time"
    said += " (max_leased of its handler)" * (most is None and now is not None)
    click.echo(f"{queue}: {said}{_NEW * (not known)}")


def _follow(pools: list[Pool], workers: int | None) -> str:
    """Say what will come of it."""
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
