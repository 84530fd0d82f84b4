"""fencepost messages: look at deliveries, replay the dead, cancel the waiting."""

from __future__ import annotations

import base64
import sys
from collections.abc import Callable, Sequence

import click

from ..store import Store, connect
from ..store.message import STATES, Outcome
from ..store.validate import name
from .output import as_json, plain, print_json, print_table, record, the_store

_ID = click.IntRange(1, 2**63 - 1)

# One transaction for so many, so that nobody waits long for the lock.
_BATCH = 500


def _chosen(command: Callable[..., None]) -> Callable[..., None]:
    """Take ids, or all of those in a state."""
    for option in (
        click.argument("ids", nargs=-1, type=_ID, metavar="[ID]..."),
        click.option("--all", "everything", is_flag=True, help="Every one there is, not by id."),
        click.option("--queue", metavar="Q", help="With --all: only those of this queue."),
    ):
        command = option(command)
    return command


@click.group()
def messages() -> None:
    """List, show, replay and cancel messages on their way to a handler.

    Example: fencepost messages list --state dead
    """


@messages.command("list")
@the_store
@click.option("--state", type=click.Choice(STATES), help="Only those in this state.")
@click.option("--queue", metavar="Q", help="Only those of this queue.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="At most.")
@click.option("--before", type=_ID, metavar="ID", help="Only older ones: the next page.")
@as_json
def list_(
    store: str,
    state: str | None,
    queue: str | None,
    limit: int,
    before: int | None,
    as_json: bool,
) -> None:
    """List deliveries, newest first: one row for each handler that a message goes to.

    Example: fencepost messages list --state dead --queue deploy
    """
    if queue is not None:
        name(queue, "--queue")
    with connect(store, create=False) as opened:
        found = opened.deliveries(state=state, queue=queue, limit=limit, before=before)
    if as_json:
        print_json([record(delivery) for delivery in found])
        return
    columns = ("id", "state", "queue", "source", "event", "key", "attempt", "received_at", "error")
    print_table(columns, [[record(delivery)[column] for column in columns] for delivery in found])


@messages.command()
@the_store
@click.argument("id", type=_ID)
@as_json
def show(store: str, id: int, as_json: bool) -> None:
    """Show one delivery with its message.

    Example: fencepost messages show 42
    """
    with connect(store, create=False) as opened:
        delivery, content = opened.delivery(id), opened.content(id)
    if delivery is None or content is None:
        raise click.ClickException(f"there is no delivery {id}")
    body, encoding = (None, None) if content.body is None else _text(content.body)
    facts = {
        **record(delivery),
        "result": content.result,
        "headers": dict(content.headers),
        "body": body,
        "body_encoding": encoding,
    }
    if as_json:
        print_json(facts)
        return
    for fact, value in facts.items():
        if fact == "headers":
            for header, said in content.headers.items():
                click.echo(f"  {plain(header)}: {plain(said)}")
        else:
            click.echo(f"{fact}: {plain(value)}")


@messages.command()
@the_store
@_chosen
def replay(store: str, ids: tuple[int, ...], everything: bool, queue: str | None) -> None:
    """Make dead or cancelled deliveries ready again; their attempts count anew.

    --all means every dead one.

    Example: fencepost messages replay 42 43
    """
    _check(ids, everything, queue)
    with connect(store, create=False) as opened:
        if everything:
            _change_all(opened, "dead", queue, opened.replay_many, "replayed")
        else:
            _change(ids, opened.replay_many, "replay")


@messages.command()
@the_store
@_chosen
def cancel(store: str, ids: tuple[int, ...], everything: bool, queue: str | None) -> None:
    """End deliveries that wait or are dead; a leased one is refused.

    --all means every one that waits.

    Example: fencepost messages cancel 42
    """
    _check(ids, everything, queue)
    with connect(store, create=False) as opened:
        if everything:
            _change_all(opened, "ready", queue, opened.cancel_many, "cancelled")
        else:
            _change(ids, opened.cancel_many, "cancel")


def _check(ids: tuple[int, ...], everything: bool, queue: str | None) -> None:
    if bool(ids) == everything:
        raise click.UsageError("give ids, or --all")
    if queue is not None:
        if not everything:
            raise click.UsageError("--queue goes with --all")
        name(queue, "--queue")


def _change(
    ids: tuple[int, ...], change: Callable[[Sequence[int]], list[Outcome]], verb: str
) -> None:
    """Try every one; exit with 1 when one was refused, and say why."""
    refused = False
    for id, outcome in zip(ids, change(ids), strict=True):
        if outcome:
            click.echo(f"{outcome.kind} {id}")
        else:
            refused = True
            click.echo(f"Error: cannot {verb} {id}: {_why(outcome)}", err=True)
    if refused:
        sys.exit(1)


def _change_all(
    store: Store,
    state: str,
    queue: str | None,
    change: Callable[[Sequence[int]], list[Outcome]],
    done: str,
) -> None:
    """Change all that are in a state, from the newest down; one that comes back is left."""
    before, changed = None, 0
    while found := store.deliveries(state=state, queue=queue, limit=_BATCH, before=before):
        changed += sum(map(bool, change([delivery.id for delivery in found])))
        before = found[-1].id
    click.echo(f"{done} {changed}")


_WHY = {
    "active": "it is ready",
    "completed": "it is done",
    "already_cancelled": "it is cancelled",
    "not_found": "there is no such delivery",
    "unrecoverable": "it is done and its body is gone (keep_body_for= on a source, handler or"
    " queue keeps bodies)",
    "routed": "it has deliveries, which can be replayed",
}


def _why(outcome: Outcome) -> str:
    if outcome.kind == "claimed":
        return f"it is leased by process {outcome.holder}"
    return _WHY[outcome.kind]


def _text(body: bytes) -> tuple[str, str]:
    try:
        return body.decode(), "utf-8"
    except UnicodeDecodeError:
        return base64.b64encode(body).decode(), "base64"
