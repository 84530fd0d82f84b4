"""fencepost status --check: what needs an operator's attention."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import click

from ...store import Store
from ..output import plain, print_json

_GONE = ("stopping", "lost")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that needs attention.

    Attributes:
        kind: "dead", "unserved", "no pool", "no worker" or "age".
        queue: The queue, or None.
        count: The number of deliveries.
        seconds: The age of the oldest ready delivery, for kind "age".
    """

    kind: str
    queue: str | None
    count: int
    said: str
    seconds: float | None = None


def check(store: Store, max_age: float | None, *, as_json: bool) -> None:
    """Print what needs attention; exit with 1 if anything does."""
    found = list(_findings(store, max_age))
    if as_json:
        print_json({"ok": not found, "findings": [asdict(each) for each in found]})
    elif found:
        for each in found:
            click.echo(plain(each.said))
    else:
        click.echo("nothing needs attention")
    if found:
        sys.exit(1)


def _findings(store: Store, max_age: float | None) -> Iterator[Finding]:
    queues = store.stats()
    pools = [pool for pool in store.pools() if pool.state not in _GONE]
    serving = {pool.id for pool in pools}
    up = [each for each in store.workers() if each.pool in serving and each.state not in _GONE]
    waiting = sum(stats.ready + stats.scheduled + stats.leased for stats in queues.values())
    for name, stats in queues.items():
        if stats.dead:
            yield Finding("dead", name, stats.dead, f"dead: queue {name} has {stats.dead}")
    if waiting and not pools:
        said = f"no pool: no pool is running, and {_are_waiting(waiting)}"
        yield Finding("no pool", None, waiting, said)
    elif waiting and not up:
        said = f"no worker: no worker is running, and {_are_waiting(waiting)}"
        yield Finding("no worker", None, waiting, said)
    for queue in store.unserved() if pools else ():
        held = queue.waiting + queue.leased
        said = f"unserved: queue {queue.queue} holds {held}, and no pool serves it"
        yield Finding("unserved", queue.queue, held, said)
    for name, stats in queues.items():
        age = stats.oldest_ready_age
        if max_age is not None and stats.ready and age > max_age:
            said = f"age: queue {name} has a delivery that has been ready for {age:.0f} s"
            yield Finding("age", name, stats.ready, said, age)


def _are_waiting(count: int) -> str:
    return "1 delivery is waiting" if count == 1 else f"{count} deliveries are waiting"
