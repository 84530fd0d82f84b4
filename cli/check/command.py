"""fencepost check: print what an app declares and what is wrong with it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from ...store import Store, connect
from ...store.connect import exists, why_not_made
from ...store.errors import FencepostError, InvalidInput, StoreBusy
from ...store.naming import shown
from ..options import as_json
from ..output import plain, print_json
from . import text

if TYPE_CHECKING:
    from ...app import App
    from .findings import Finding


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
        lines = *text.of_sources(sources), *text.of_schedules(schedules), *text.of_queues(queues)
        for line in (*lines, *text.of_store(store)):
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
        what = f"{text.many(each.count, 'message')} of event {each.event!r} from {each.source}"
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
            f"queue {name!r} holds {text.many(waiting, 'delivery', 'deliveries')}, and this app has "
            "no handler for it",
            f"if it was renamed: fencepost messages move --from {name} --to QUEUE",
        )


def _record(finding: Finding) -> dict[str, str]:
    return {name: getattr(finding, name) for name in finding.__slots__}
