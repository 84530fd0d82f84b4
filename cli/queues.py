"""fencepost pause, resume, limit and routes."""

from __future__ import annotations

import click

from ..store import connect
from ..store.types.content.json_value import decode
from .options import as_json, number_or, the_store
from .output import iso, plain, print_json, record
from .table import print_table

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


_REFUSED = {
    "conflict": "another answer was first",
    "gone": "it is too late: the wait is over, or the delivery has ended",
    "unknown": "the token is none of this store's, or its secret is retired",
}


# -5 is JSON.
@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("queue", metavar="QUEUE|TOKEN")
@click.argument("json", required=False, metavar="[JSON]")
@the_store
def resume(queue: str, json: str | None, store: str) -> None:
    """Claim from a paused QUEUE again, or answer a handler that waits.

    With JSON the first argument is the TOKEN of a wait: the URL that ctx.wait_url returns, or
    its last part. It prints "accepted", or "duplicate" if that was the answer already.
    Exits with 1 when the answer does not count: another one was first, it comes too late, or
    the token is none of this store's.

    Example: fencepost resume mail

    Example: fencepost resume AQAAAAAAAAAH '{"approved": true}'
    """
    with connect(store, create=False) as opened:
        if json is not None:
            said = opened.resume(queue.rpartition("/")[2], _value(json))
            if said in _REFUSED:
                raise click.ClickException(_REFUSED[said])
            click.echo(said)
            return
        if not opened.resume(queue):
            raise click.ClickException(
                f"there is no queue {plain(queue)} (to answer a handler that waits, give the answer"
                " as JSON after the token)"
            )
    click.echo(f"resumed {queue}")


def _value(text: str) -> object:
    try:
        return decode(text.encode())
    except ValueError as error:
        raise click.UsageError(f"the answer must be JSON: {error}") from error


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


@click.group()
def routes() -> None:
    """Turn the routes to a queue off, and on again.

    While they are off, what sources send is stored and kept for the queue.

    Example: fencepost routes off mail
    """


@routes.command("list")
@the_store
@as_json
def list_(store: str, as_json: bool) -> None:
    """List the queues whose routes are off, and how many messages are kept for each.

    A queue is listed as "draining" once its routes are on and workers route what was kept.

    Example: fencepost routes list --json
    """
    with connect(store, create=False) as opened:
        found = opened.routes_off()
    if as_json:
        print_json([record(each) for each in found])
    elif not found:
        click.echo("all routes are on")
    else:
        columns = ("queue", "state", "since", "kept")
        print_table(
            columns,
            [(each.queue, each.state, iso(each.changed_at), each.kept) for each in found],
            whole=("since",),
        )


@routes.command()
@click.argument("queue")
@the_store
def off(queue: str, store: str) -> None:
    """Keep what sources send to QUEUE, until you turn its routes on.

    Senders get their usual answer. What is in the queue already is handled.

    Example: fencepost routes off mail
    """
    with connect(store, create=False) as opened:
        changed = opened.route_off(queue)
        known = queue in opened.stats()
    said = f"the routes to {plain(queue)} are off{' already' * (not changed)}"
    click.echo(said + "; no queue of that name has had a delivery yet" * (not known))


@routes.command()
@click.argument("queue")
@click.option("--discard", is_flag=True, help="Give up what was kept meanwhile.")
@the_store
def on(queue: str, discard: bool, store: str) -> None:
    """Route what was kept for QUEUE, oldest first, and then what is new.

    The workers of a running pool do that.

    Example: fencepost routes on mail
    """
    with connect(store, create=False) as opened:
        discarded = opened.discard_kept(queue) if discard else 0
        changed = opened.route_on(queue)
        left = sum(each.kept for each in opened.routes_off() if each.queue == queue)
    said = f"the routes to {plain(queue)} are on{' already' * (not changed and not discarded)}"
    said += f"; {discarded} discarded" * bool(discarded)
    click.echo(said + f"; {left} kept messages are being routed" * bool(left))
