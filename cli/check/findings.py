"""Errors and warnings about an app's declarations, without its store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ...app.sending.built_in import only_sends
from ...app.sending.extra import CURE, can_send
from ...schemes import key_rule
from .patterns import why_never

if TYPE_CHECKING:
    from ...app import App

# Headers that a proxy or gateway sets on every request, so also on each retry of an event.
_SET_ANEW = (
    "cf-ray",
    "date",
    "traceparent",
    "x-amzn-trace-id",
    "x-cloud-trace-context",
    "x-correlation-id",
    "x-forwarded-for",
    "x-request-id",
)

Level = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or likely to be.

    Attributes:
        level: "error" when `fencepost up` would refuse to start.
        code: The kind of finding, for programs.
    """

    level: Level
    code: str
    sentence: str
    cure: str = ""


def findings(app: App) -> list[Finding]:
    """Return what is wrong with an app, errors first."""
    found = [*_of_routes(app), *_of_sources(app)]
    if not app.handlers and not only_sends(app):
        found.append(
            Finding(
                "error",
                "no_handlers",
                "the app has no handlers: nothing for workers to do",
                "add one with @app.on(source, event), @app.task(queue), @app.every(...) or "
                "app.command(...)",
            )
        )
    if app.sending is not None and app.sending.is_given and not can_send():
        found.append(
            Finding("warning", "cannot_send", "the app sends webhooks without aiohttp", CURE)
        )
    return sorted(found, key=lambda finding: finding.level)


def _of_routes(app: App) -> Iterator[Finding]:
    for route in app.routes:
        source = app.sources.get(route.source)
        where = f"handler {route.queue!r} is on {route.pattern!r} of source {route.source!r}"
        if source is None:
            yield Finding(
                "error",
                "undeclared_source",
                f"{where}, which is not declared",
                f"declare it with app.source({route.source!r}, ...)",
            )
            continue
        if source.scheme.recipes.event is not None and source.scheme.name != "hmac":
            continue  # the user chooses where the event is read
        if (why := why_never(source.scheme.name, route.pattern)) is not None:
            yield Finding("warning", "never_matches", f"{where}, which matches nothing: {why}")


def _of_sources(app: App) -> Iterator[Finding]:
    routed = {route.source for route in app.routes}
    for name, source in app.sources.items():
        header = (key_rule(source.scheme) or "").removeprefix("header:")
        if header in _SET_ANEW:
            yield Finding(
                "warning",
                "key_changes",
                f"the key of source {name!r} is header {header}, which gateways set on each "
                "request: an event that is sent again would be handled again",
                'take an id that the sender keeps, or key="body"',
            )
        if name not in routed:
            yield Finding(
                "warning",
                "no_route",
                f"source {name!r} has no handler: its messages are stored and wait",
                f"add one with @app.on({name!r})",
            )
