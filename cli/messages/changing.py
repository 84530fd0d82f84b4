"""fencepost messages replay, cancel and move."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import click

from ...store import Store, connect
from ...store.types.delivery import Outcome
from ...store.types.validate import name
from ..options import the_store
from ..output import plain
from . import bulk
from .conditions import condition_options
from .ids import Id, any_id
from .listing import each_unrouted
from .outcomes import moved, refusal, said, told

Change = Callable[[Sequence[int]], list[Outcome]]

_IDS = click.argument("ids", nargs=-1, type=any_id, metavar="[ID]...")
_ALL = click.option(
    "--all",
    "everything",
    is_flag=True,
    help="All deliveries that meet the conditions, in place of ids.",
)
_YES = click.option("--yes", is_flag=True, help="Do not ask on a terminal.")


@click.command()
@the_store
@_IDS
@_ALL
@condition_options(("dead", "cancelled", "done"))
@click.option("--unrouted", is_flag=True, help="With --all: messages that no route has matched.")
@click.option(
    "--rate",
    type=click.FloatRange(0, min_open=True),
    metavar="N",
    help="With --all: at most N a second.",
)
@click.option(
    "--from-start", is_flag=True, help="Forget all recorded steps, and end the URLs of its waits."
)
@click.option(
    "--from", "from_step", metavar="STEP", help="Forget this step and all that was recorded after."
)
@_YES
def replay(
    store: str,
    ids: tuple[Id, ...],
    everything: bool,
    wanted: dict[str, Any],
    unrouted: bool,
    rate: float | None,
    from_start: bool,
    from_step: str | None,
    yes: bool,
) -> None:
    """Run deliveries again: d7, or those of message m7.

    Dead and cancelled deliveries become ready again, and their attempts start at 1. A done
    delivery is copied, if its body is still kept. m7 replays the dead and cancelled
    deliveries of the message, or copies all if all are done. A message that no route has
    matched is routed again.

    --all replays every dead delivery, or those of --state.

    The handler of a dead letter goes on after the steps that it has recorded: messages show
    lists them, and --from-start and --from forget them. A cancelled delivery has none left.

    Example: fencepost messages replay --all --queue mail --since 2h --rate 10
    """
    given = {**wanted, **({"unrouted": True} if unrouted else {})}
    if unrouted and (from_start or from_step is not None):
        raise click.UsageError("--unrouted has no steps that could be forgotten")
    _check(ids, everything, {**given, **({} if rate is None else {"rate": rate})})
    with connect(store, create=False) as opened:
        again = partial(opened.replay_many, from_start=from_start, from_step=from_step)
        if not everything:
            _change(opened, ids, again, "replay")
        elif unrouted:
            _route_all(opened, wanted, rate, yes)
        else:
            wanted.setdefault("state", "dead")
            _change_all(opened, wanted, again, "replay", rate, yes)


@click.command()
@the_store
@_IDS
@_ALL
@condition_options(("ready", "scheduled", "sleeping", "dead"))
@_YES
def cancel(
    store: str, ids: tuple[Id, ...], everything: bool, wanted: dict[str, Any], yes: bool
) -> None:
    """Cancel ready, scheduled, sleeping or dead deliveries: d7, or those of message m7.

    A delivery that a worker is running is refused. --all cancels every ready or scheduled
    delivery, or those of --state.

    Example: fencepost messages cancel d42
    """
    _check(ids, everything, wanted)
    with connect(store, create=False) as opened:
        if everything:
            wanted.setdefault("state", "ready")
            _change_all(opened, wanted, opened.cancel_many, "cancel", None, yes)
        else:
            _change(opened, ids, opened.cancel_many, "cancel")


@click.command()
@the_store
@click.option("--from", "source_queue", metavar="Q", required=True, help="The queue to move from.")
@click.option("--to", "target_queue", metavar="Q", required=True, help="The queue to move to.")
@condition_options(("ready", "scheduled", "sleeping", "dead"), queue=False)
@_YES
def move(
    store: str, source_queue: str, target_queue: str, wanted: dict[str, Any], yes: bool
) -> None:
    """Move ready, scheduled, sleeping and dead deliveries to another queue.

    Their lanes, attempts and idempotency keys do not change. Deliveries that a worker is
    running stay: run the command again later.

    Example: fencepost messages move --from old_name --to new_name
    """
    name(source_queue, "--from")
    if name(target_queue, "--to") == source_queue:
        raise click.UsageError("--from and --to are the same queue")
    with connect(store, create=False) as opened:
        queues = opened.stats()
        if source_queue not in queues:
            raise click.ClickException(f"there is no queue {plain(source_queue)}")
        state = wanted.pop("state", None)
        states = ("ready", "leased", "dead") if state is None else (state,)
        found = sorted(
            each.id
            for state in states
            for each in opened.each_delivery(state=state, queue=source_queue, **wanted)
        )
        if not bulk.agreed(f"move to {target_queue}", [source_queue] * len(found), yes=yes):
            sys.exit(1)
        if target_queue not in queues:
            click.echo(f"Queue {target_queue} did not exist yet; it is created now.", err=True)
        change = partial(opened.move_many, target_queue=target_queue)
        bulk.do(bulk.Work(found, change), moved)


def _check(given: Sequence[Id], everything: bool, options: dict[str, Any]) -> None:
    if bool(given) == everything:
        raise click.UsageError("give ids or --all, not both" if given else "give ids, or --all")
    if options and not everything:
        raise click.UsageError(f"--{next(iter(options))} needs --all")
    if "queue" in options:
        name(options["queue"], "--queue")


def _change(store: Store, given: Sequence[Id], change: Change, verb: str) -> None:
    """Change each; print why one was refused, and exit with 1."""
    refused = False
    for each in given:
        if each.kind == "m":
            refused |= not _change_message(store, each, change, verb)
        else:
            (outcome,) = change([each.number])
            refused |= not told(each, outcome, verb)
    if refused:
        sys.exit(1)


def _change_message(store: Store, named: Id, change: Change, verb: str) -> bool:
    """Change those deliveries of a message that can be; return False if none could.

    A replay does not copy done deliveries while the message has others.
    """
    listed = store.deliveries(message=named.number, limit=1000)[::-1]
    undone = [each for each in listed if each.state != "done"]
    found = [each.id for each in (undone if verb == "replay" and undone else listed)]
    if found:
        outcomes = change(found)
        some = any(outcomes)
        for id, outcome in zip(found, outcomes, strict=True):
            if outcome or not some:
                told(Id("d", id), outcome, verb)
            else:
                click.echo(f"left d{id}: {refusal(outcome)}", err=True)
        return some
    if verb == "replay":
        (outcome,) = store.replay_unrouted([named.number])
        if outcome.kind == "active":
            click.echo(f"{named} is waiting until a worker routes it again", err=True)
            return True
        if outcome.kind != "not_found":
            return told(named, outcome, verb)
    there = store.message(named.number) is not None
    why = "it has no delivery" if there else "there is no such message"
    click.echo(f"Error: cannot {verb} {named}: {why}", err=True)
    return False


def _change_all(
    store: Store,
    wanted: dict[str, Any],
    change: Change,
    verb: str,
    rate: float | None,
    yes: bool,
) -> None:
    """Change all deliveries that meet the conditions, oldest first, to keep lanes in order."""
    found = {each.id: each.queue for each in store.each_delivery(**wanted)}
    if not bulk.agreed(verb, found.values(), yes=yes):
        sys.exit(1)
    done = "cancelled" if verb == "cancel" else "replayed"
    bulk.do(bulk.Work(sorted(found), change, rate), partial(said, done))


def _route_all(store: Store, wanted: dict[str, Any], rate: float | None, yes: bool) -> None:
    if "state" in wanted or "queue" in wanted or "error" in wanted:
        raise click.UsageError("--unrouted goes with --source, --event, --key and --since")
    now = store.now()
    unrouted = each_unrouted(store, wanted, now)
    found = [each for each in unrouted if not each.waiting and not each.kept_for]
    events = [f"{each.source} {each.event}" for each in found]
    if not bulk.agreed("route", events, yes=yes):
        sys.exit(1)
    numbers = sorted(each.message_id for each in found)
    bulk.do(bulk.Work(numbers, store.replay_unrouted, rate), partial(said, "replayed"))
