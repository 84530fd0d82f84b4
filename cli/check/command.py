"""fencepost check: print what an app declares and what is wrong with it."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click

from ...store import Store, connect
from ...store.connect import exists, why_not_made
from ...store.errors import FencepostError, InvalidInput, StoreBusy
from ...store.naming import shown
from ..options import as_json
from ..output import plain, print_json

if TYPE_CHECKING:
    from ...app import App
    from .findings import Finding

_WIDTH = 80


@click.command()
@click.argument("target")
@as_json
def check(target: str, as_json: bool) -> None:
    """Print the sources, events, schedules and queues of TARGET.

    Findings follow: errors, with which `fencepost up` would not start (`check` then exits
    with 1); routes and sources that cannot work; messages in the store that no handler takes.
    The command creates no store.

    Example: fencepost check hooks.py
    """
    from . import description
    from .findings import findings

    try:
        app = _loaded(target)
    except click.ClickException as error:
        if not as_json:
            raise
        unloaded = {"level": "error", "code": "cannot_load", "sentence": str(error), "cure": ""}
        print_json({"ok": False, "target": target, "findings": [unloaded]})
        sys.exit(1)
    store, of_store = _look(app)
    found = [*findings(app), *of_store]
    found.sort(key=lambda finding: finding.level)
    failed = any(finding.level == "error" for finding in found)
    sources, queues = description.sources(app), description.queues(app)
    schedules = description.schedules(app)
    if as_json:
        print_json(
            {
                "ok": not failed,
                "target": target,
                "store": store,
                "sources": sources,
                "schedules": schedules,
                "queues": queues,
                "tasks": [queue["name"] for queue in queues if queue["kind"] == "task"],
                "findings": [_record(finding) for finding in found],
            }
        )
    else:
        lines = *_of_sources(sources), *_of_schedules(schedules), *_of_queues(queues)
        for line in (*lines, *_of_store(store)):
            click.echo(plain(line))
        click.echo("Findings" if found else "Nothing is wrong.")
        for finding in found:
            cure = f"; {finding.cure}" if finding.cure else ""
            click.echo(plain(f"  {finding.level}: {finding.sentence}{cure}"))
    sys.exit(1 if failed else 0)


def _loaded(target: str) -> App:
    """Return the app.

    Raises:
        InvalidInput: TARGET does not exist.
        ClickException: It exists, and its code raised.
    """
    from ...app import Target
    from ...log.log import configure

    configure()
    try:
        return Target(target).app()
    except InvalidInput as error:
        if _is_there(target, error):
            raise click.ClickException(str(error)) from error
        raise


def _is_there(target: str, error: InvalidInput) -> bool:
    cause = error.__cause__
    place = target.rpartition(":")[0] or target
    if isinstance(cause, ModuleNotFoundError) and cause.name:
        return not f"{place}.".startswith(f"{cause.name}.")
    return cause is not None and (not place.endswith(".py") or os.path.isfile(place))


def _look(app: App) -> tuple[dict[str, Any], list[Finding]]:
    """Return what the app's store holds, and findings about it."""
    from .findings import Finding

    path = shown(app.store)
    seen: dict[str, Any] = {"path": path, "exists": False}
    try:
        seen["exists"] = exists(app.store)
        if not seen["exists"] and (why := why_not_made(app.store)):
            sentence = f"the store {path} cannot be created: {why}"
            return seen, [Finding("error", "store", sentence, "create it, or choose another path")]
        if not seen["exists"]:
            return seen, []
        with connect(app.store, create=False, **app.store_options) as store:
            return seen, list(_waiting(app, store, seen))
    except StoreBusy as error:
        return seen, [Finding("warning", "store_busy", str(error))]
    except FencepostError as error:
        return seen, [Finding("error", "store", f"the store cannot be opened: {error}")]


def _waiting(app: App, store: Store, seen: dict[str, Any]) -> Iterator[Finding]:
    from .findings import Finding

    seen["unrouted"], seen["without_handler"] = [], []
    for each in store.unrouted_counts():
        matches = any(route.matches(each.source, each.event) for route in app.routes)
        seen["unrouted"].append(
            {
                "source": each.source,
                "event": each.event,
                "count": each.count,
                "matches_now": matches,
            }
        )
        what = f"{_many(each.count, 'message')} of event {each.event!r} from {each.source}"
        again = f"fencepost messages replay --all --unrouted --source {each.source}"
        if matches:
            sentence, cure = f"{what} came before a route matched, and are waiting", again
        elif each.source in app.sources:
            cure = f"add a handler with @app.on({each.source!r}, {each.event!r}), then: {again}"
            sentence = f"{what} are waiting: no route matches"
        else:
            cure = f"declare it and its handlers, then: {again}"
            sentence = f"{what} are waiting: the app no longer has this source"
        yield Finding("warning", "unrouted", sentence, cure)
    for name, stats in store.stats().items():
        waiting = stats.ready + stats.scheduled + stats.leased
        if not waiting or name in app.handlers:
            continue
        seen["without_handler"].append({"queue": name, "waiting": waiting})
        yield Finding(
            "warning",
            "without_handler",
            f"queue {name!r} holds {_many(waiting, 'delivery', 'deliveries')}, and this app has "
            "no handler for it",
            f"if it was renamed: fencepost messages move --from {name} --to QUEUE",
        )


def _of_sources(sources: list[dict[str, Any]]) -> Iterator[str]:
    if not sources:
        return
    yield "Sources"
    for source in sources:
        key = source["key"] or "none"
        yield f"  {source['name']}: scheme {source['scheme']}, POST {source['path']}"
        yield from _wrapped(
            [
                f"key {key}{'' if source['require_key'] else ' (not required)'}",
                f"key kept {_span(source['keep_for'])} after its work has ended",
                _body(source["keep_body_for"]),
                f"body up to {_size(source['max_body'])}",
                f"redelivery {source['redelivery']}",
            ]
        )
        for route in source["routes"]:
            lane = f" (lane {route['lane']}, {route['lane_policy']})" if route["lane"] else ""
            priority = f" (priority {route['priority']})" if route["priority"] else ""
            yield f"    {route['event'] or repr('')} → {route['queue']}{lane}{priority}"
        if not source["routes"]:
            yield "    no handler"


def _of_schedules(schedules: list[dict[str, Any]]) -> Iterator[str]:
    if schedules:
        yield "Schedules"
    for schedule in schedules:
        when = f"{schedule['spec']} {schedule['timezone']}".removesuffix(" UTC")
        yield f"  {schedule['name']}: {when}"
        yield from _wrapped(
            [f"missed times {_MISSED[schedule['missed']]}", f"next {', '.join(schedule['next'])}"]
        )


_MISSED = {"once": "come once", "each": "come each", "skip": "are skipped"}
_FILLED = {
    "task": " (task: filled by enqueue)",
    "schedule": " (filled by its schedule)",
    "on_dead": " (for each dead letter)",
}


def _of_queues(queues: list[dict[str, Any]]) -> Iterator[str]:
    if not queues:
        return
    yield "Queues"
    for queue in queues:
        yield f"  {queue['name']}: runs {queue['runs']}{_FILLED.get(queue['kind'], '')}"
        yield from _wrapped(_settings(queue))


def _settings(queue: dict[str, Any]) -> Iterator[str]:
    if queue["at_most_once"]:
        yield "tried at most once"
    else:
        most = queue["max_attempts"]
        attempts = f", at most {_many(most, 'attempt')}" if most else ""
        yield f"retried for {_span(queue['retry_for'])}{attempts}"
    if queue["backoff"] is not None:
        yield f"backoff {_wait(queue['backoff'])}"
    for name, wait in queue["retry_on"].items():
        yield f"{name} retried after {_wait(wait)}"
    if queue["discard_on"]:
        yield f"dead at once on {', '.join(queue['discard_on'])}"
    for name in ("timeout", "soft_timeout"):
        if queue[name] is not None:
            yield f"{name} {_span(queue[name])}"
    if queue["concurrency"] > 1:
        yield f"{queue['concurrency']} at a time in each worker"
    for name in ("max_leased", "max_rows"):
        if queue[name] is not None:
            yield f"{name} {queue[name]}"
    if queue["max_bytes"] is not None:
        yield f"max_bytes {_size(queue['max_bytes'])}"
    if queue["keep_body_for"] is not None:
        yield _body(queue["keep_body_for"])


def _of_store(store: dict[str, Any]) -> Iterator[str]:
    yield "Store"
    yield f"  {store['path']}" + ("" if store["exists"] else " (not there yet)")


def _wrapped(parts: Iterable[str]) -> list[str]:
    text = "; ".join(parts)
    return textwrap.wrap(
        text, _WIDTH, initial_indent=" " * 4, subsequent_indent=" " * 4, break_on_hyphens=False
    )


def _record(finding: Finding) -> dict[str, str]:
    return {name: getattr(finding, name) for name in finding.__slots__}


def _many(count: int, one: str, more: str = "") -> str:
    return f"{count} {one if count == 1 else more or one + 's'}"


def _wait(wait: str | float) -> str:
    return wait if isinstance(wait, str) else _span(wait)


def _body(seconds: float) -> str:
    kept = f"kept {_span(seconds)} after" if seconds else "deleted when"
    return f"body {kept} all deliveries are done"


def _span(seconds: float) -> str:
    for size, unit in ((86_400, "days"), (3600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            many = f"{seconds / size:g}"
            return f"{many} {'day' if (many, unit) == ('1', 'days') else unit}"
    return f"{seconds:g} s"


def _size(number: int) -> str:
    for size, unit in ((2**20, "MiB"), (2**10, "KiB")):
        if number >= size and number % size == 0:
            return f"{number // size} {unit}"
    return f"{number} bytes"
