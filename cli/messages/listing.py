"""fencepost messages list: one row per delivery, or per unrouted message."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import click

from ...store import Store, connect
from ...store.types.delivery import Delivery
from ...store.types.durable.wait import NEVER_MS
from ...store.types.filter import ASKED_STATES
from ...store.types.unserved import Unrouted
from ..options import as_json, row_limit, the_store
from ..output import age, iso, print_json, record
from ..table import is_terminal, print_table
from . import ids
from .conditions import condition_options
from .ids import Id, any_id


@click.command("list")
@the_store
@condition_options(ASKED_STATES)
@click.option(
    "--unrouted",
    is_flag=True,
    help="List messages that no route has matched, or whose routes are off, instead of deliveries.",
)
@row_limit(50)
@click.option("--before", type=any_id, metavar="ID", help="Only rows older than ID: the next page.")
@as_json
def list_(
    store: str,
    wanted: dict[str, Any],
    unrouted: bool,
    limit: int,
    before: Id | None,
    as_json: bool,
) -> None:
    """List deliveries, newest first.

    A message has one delivery for each of its handlers.

    The state "ready" includes "scheduled": ready, but waiting for a time.

    Example: fencepost messages list --state dead --queue deploy --since 2h
    """
    _check(wanted, unrouted, before)
    start = None if before is None else before.number
    with connect(store, create=False) as opened:
        now = opened.now()
        if unrouted:
            messages = _unrouted(opened, wanted, limit + 1, start, now)
            last = _print_messages(messages[:limit], now, as_json)
            more = len(messages) > limit
        else:
            found = opened.deliveries(**wanted, limit=limit + 1, before=start)
            last = _print_deliveries(found[:limit], now, as_json)
            more = len(found) > limit
    if more:
        click.echo(
            f"There are more than {limit} rows: use --limit N, or --before {last} for the next page.",
            err=True,
        )


def _check(wanted: dict[str, Any], unrouted: bool, before: Id | None) -> None:
    if not unrouted:
        if before is not None and before.kind == "m":
            raise click.UsageError(
                f"{before} is a message; --before takes the id of a delivery, such as d7"
            )
        return
    for option in ("state", "queue", "error"):
        if option in wanted:
            raise click.UsageError(
                f"--unrouted lists messages without a delivery, which have no {option}"
            )


def _print_deliveries(found: list[Delivery], now: float, as_json: bool) -> str | None:
    if as_json:
        print_json([record(delivery) for delivery in found])
    else:
        people = is_terminal()
        time = "age" if people else "received_at"
        print_table(
            ("id", "state", "queue", "source", "event", "key", "attempt", time, "error"),
            [
                (
                    *(ids.delivery(each.id), each.state, each.queue, each.source, each.event),
                    *(each.key, each.attempt, _received(each.received_at, now, people)),
                    _why(each, now),
                )
                for each in found
            ],
        )
    return ids.delivery(found[-1].id) if found else None


def _why(each: Delivery, now: float) -> str | None:
    if each.asleep is not None and each.due_at is not None:
        if each.due_at <= now:
            return f"asleep at {each.asleep!r} until {iso(each.due_at)}: waits for a worker"
        for_ever = each.due_at == NEVER_MS / 1000
        until = "what it waits for comes" if for_ever else iso(each.due_at)
        return f"asleep at {each.asleep!r} until {until}"
    return each.error


def _print_messages(found: list[Unrouted], now: float, as_json: bool) -> str | None:
    if as_json:
        none = {"id": None, "queue": None, "state": None, "attempt": 0, "fence": 0, "error": None}
        print_json([{**none, **record(message)} for message in found])
    else:
        people = is_terminal()
        print_table(
            ("message", "source", "event", "key", "age" if people else "received_at", "routing"),
            [
                (
                    *(ids.message(each.message_id), each.source, each.event, each.key),
                    _received(each.received_at, now, people),
                    _routing(each),
                )
                for each in found
            ],
        )
    return ids.message(found[-1].message_id) if found else None


def _routing(each: Unrouted) -> str:
    if each.kept_for:
        return f"kept for {', '.join(each.kept_for)}"
    return "waits for a worker" if each.waiting else "no route matched"


def _received(at: float, now: float, people: bool) -> str | None:
    return age(now - at) if people else iso(at)


def _unrouted(
    store: Store, wanted: dict[str, Any], limit: int, before: int | None, now: float
) -> list[Unrouted]:
    found = []
    for message in each_unrouted(store, wanted, now, before):
        found.append(message)
        if len(found) == limit:
            break
    return found


def each_unrouted(
    store: Store, wanted: dict[str, Any], now: float, before: int | None = None
) -> Iterator[Unrouted]:
    """Iterate over the messages that no route has matched or that are kept, newest first."""
    given = dict(wanted)
    since, event = given.pop("since", None), given.pop("event", None)
    if isinstance(since, timedelta):
        given["since"] = max(0.0, now - since.total_seconds())
    elif isinstance(since, datetime):
        given["since"] = max(0.0, since.timestamp())
    while page := store.unrouted(**given, limit=500, before=before):
        before = page[-1].message_id
        for message in page:
            if event is None or _is_like(message.event, event):
                yield message


def _is_like(event: str, pattern: str) -> bool:
    return any(fnmatch.fnmatchcase(event, each) for each in (pattern, f"{pattern}.*"))
