"""fencepost status: queues, pools and workers."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import click
from click.core import ParameterSource

from ...store import connect
from ...store.types.queue_stats import QueueStats
from ...store.types.unserved import Conflicts, UnroutedCount, Unserved
from ...store.types.worker import Pool, Worker
from ..options import as_json, the_store
from ..output import age, iso, plain, print_json, record
from ..pools.workers import COLUMNS, rows
from ..table import print_table
from .attention import check

_COUNTS = ("ready", "scheduled", "leased", "done", "dead", "cancelled")
_MOST_EVENTS = 10  # in the table; --json has all
_MOST_LETTERS = 60
_POOL = ("pool", "pid", "host", "state", "size", "queues")


@click.command()
@the_store
@as_json
@click.option(
    "--check",
    "checks",
    is_flag=True,
    help="Print only what needs attention, and exit with 1 when there is anything: dead letters,"
    " queues that no pool serves, work without a pool.",
)
@click.option(
    "--max-age",
    type=click.FloatRange(0),
    metavar="SECONDS",
    help="With --check: also queues whose oldest ready message has waited longer.",
)
def status(store: str, as_json: bool, checks: bool, max_age: float | None) -> None:
    """Show the queues and the pools that serve them.

    Example: fencepost status --store hooks.db

    Example: fencepost status --check --max-age 300 --store hooks.db
    """
    given = click.get_current_context().get_parameter_source("max_age")
    if given is ParameterSource.COMMANDLINE and not checks:
        raise click.UsageError("--max-age is for --check")
    with connect(store, create=False) as opened:
        if checks:
            check(opened, max_age, as_json=as_json)
            return
        queues = opened.stats()
        workers, registered = opened.workers(), opened.pools()
        unrouted, unserved = opened.unrouted_counts(), opened.unserved()
        routes = opened.routes_off()
        conflicts = opened.conflicts()
        scale, now = opened.wanted_workers(), opened.now()
    pools = _with_workers(registered, workers)
    if as_json:
        by_name = {name: dataclasses.asdict(stats) for name, stats in queues.items()}
        print_json(
            {
                "queues": by_name,
                "pools": pools,
                "scale": scale,
                "unserved": [record(each) for each in unserved],
                "unrouted": {
                    "total": sum(each.count for each in unrouted),
                    "events": [record(each) for each in unrouted],
                },
                "conflicts": {each.source: each.conflicts for each in conflicts},
                "routes": [record(each) for each in routes],
            }
        )
        return
    _print_queues(queues)
    click.echo()
    for line in _warnings(unserved, unrouted, conflicts):
        click.echo(plain(line))
    for route in routes:
        since = iso(route.changed_at)
        click.echo(
            plain(f"routes: {route.queue} is {route.state}, keeps {route.kept}, since {since}")
        )
    if scale is not None:
        click.echo(f"scale: {scale} workers in each pool")
    print_table(
        _POOL,
        [
            (
                *(pool[column] for column in ("id", "pid", "host", "state", "size")),
                "all" if pool["queues"] is None else ", ".join(pool["queues"]),
            )
            for pool in pools
        ],
    )
    click.echo()
    print_table(COLUMNS, rows(workers, now))


def _warnings(
    unserved: Iterable[Unserved],
    unrouted: Sequence[UnroutedCount],
    conflicts: Iterable[Conflicts],
) -> Iterator[str]:
    """Yield a line for each thing that no pool or route takes care of."""
    for queue in unserved:
        yield f"unserved: queue {queue.queue} holds {queue.waiting + queue.leased}, and has no pool"
    for event in unrouted[:_MOST_EVENTS]:
        name = event.event[:_MOST_LETTERS] or "(no event)"
        yield f"unrouted: {event.count} of {event.source}, {name}, since {iso(event.oldest_at)}"
    if len(unrouted) > _MOST_EVENTS:
        yield f"unrouted: {sum(each.count for each in unrouted)} in all, of {len(unrouted)} events"
    for source in conflicts:
        yield f"conflicts: {source.conflicts} of {source.source}, last of key {source.key}"


def _print_queues(queues: Mapping[str, QueueStats]) -> None:
    columns: dict[str, list[object]] = {"queue": list(queues)}
    for count in _COUNTS:
        columns[count] = [getattr(stats, count) for stats in queues.values()]
    columns["oldest"] = [
        age(stats.oldest_ready_age) if stats.ready else None for stats in queues.values()
    ]
    if any(stats.asleep for stats in queues.values()):
        columns["asleep"] = [stats.asleep for stats in queues.values()]
    if any(stats.paused for stats in queues.values()):
        columns["paused"] = ["paused" if stats.paused else None for stats in queues.values()]
    if any(stats.max_leased is not None for stats in queues.values()):
        columns["limit"] = [stats.max_leased for stats in queues.values()]
    print_table(tuple(columns), zip(*columns.values(), strict=True), whole=("oldest", "paused"))


def _with_workers(pools: Iterable[Pool], workers: Iterable[Worker]) -> list[dict[str, Any]]:
    """Return pools with their workers; a pool that was removed before its workers is "lost"."""
    found: dict[int, dict[str, Any]] = {pool.id: {**record(pool), "workers": []} for pool in pools}
    unknown: dict[str, Any] = dict.fromkeys(Pool.__slots__)
    for worker in workers:
        lost = {**unknown, "id": worker.pool, "state": "lost", "workers": []}
        found.setdefault(worker.pool, lost)["workers"].append(record(worker))
    return [found[id] for id in sorted(found)]
