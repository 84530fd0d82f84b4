"""fencepost pause, resume and limit."""

from __future__ import annotations

import click

from ..store import connect
from .options import number_or, the_store
from .output import plain

# It makes a mistyped name visible.
_NEW = "; the queue did not exist and was created"


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
@click.argument("most", metavar="N|none", callback=number_or("none", click.IntRange(1, 2**62)))
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
