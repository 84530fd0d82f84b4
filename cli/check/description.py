"""An app's declarations as JSON values."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from itertools import islice
from typing import Any

from msgspec import UNSET

from ...app import App
from ...app.command.handler import Command
from ...app.handlers.handler import Handler
from ...app.handlers.on_dead import AsyncCaller, Caller
from ...app.joins.calling import Joining
from ...app.route import Route
from ...app.settings import Settings
from ...app.source import Source
from ...schemes import key_rule
from ...store.types.messages.death import DEATHS
from ..output import iso

Declared = dict[str, Any]

_MOST_TIMES = 3


def sources(app: App) -> list[Declared]:
    """Return each source with its routes, in order of declaration."""
    return [
        _source(source, [route for route in app.routes if route.source == source.name])
        for source in app.sources.values()
    ]


def queues(app: App) -> list[Declared]:
    """Return each queue with the settings of its handler."""
    routed = {route.queue for route in app.routes}
    return [
        _queue(handler, _kind(handler.name, routed, app.schedules))
        for handler in app.handlers.values()
    ]


def schedules(app: App) -> list[Declared]:
    """Return each schedule with its next times."""
    now_ms = round(time.time() * 1000)
    return [
        {
            "name": name,
            "spec": schedule.rule.spec,
            "timezone": schedule.rule.timezone,
            "missed": schedule.rule.missed,
            "next": [iso(at_ms / 1000) for at_ms in islice(schedule.times(now_ms), _MOST_TIMES)],
        }
        for name, schedule in app.schedules.items()
    ]


def _source(source: Source, routes: list[Route]) -> Declared:
    return {
        "name": source.name,
        "scheme": source.scheme.name,
        "path": f"/in/{source.name}",
        "key": key_rule(source.scheme),
        "require_key": source.require_key,
        "max_body": source.max_body,
        "keep_for": source.keep_ms / 1000,
        "keep_body_for": source.keep_body_ms / 1000,
        "redelivery": source.redelivery,
        "routes": [
            {
                "event": route.pattern,
                "queue": route.queue,
                "lane": None if route.lane is None else _called(route.lane),
                "lane_policy": route.lane_policy,
                "priority": route.priority,
            }
            for route in routes
        ],
    }


def _kind(name: str, routed: Collection[str], scheduled: Collection[str]) -> str:
    if name == DEATHS:
        return "on_dead"
    return "handler" if name in routed else "schedule" if name in scheduled else "task"


def _queue(handler: Handler, kind: str) -> Declared:
    function = handler.function
    command = function if isinstance(function, Command) else None
    return {
        "name": handler.name,
        "kind": kind,
        "runs": _runs(function),
        "command": None if command is None else list(command.words),
        **{name: _shown(getattr(handler, name)) for name in Settings.__annotations__},
        **({} if command is None else {"timeout": command.timeout}),
    }


def _runs(function: Callable[..., Any]) -> str:
    if isinstance(function, Command):
        return " ".join(function.words)
    if isinstance(function, Caller | AsyncCaller):
        return ", ".join(map(_called, function.functions))
    if isinstance(function, Joining):
        return _called(function.function)
    return _called(function)


def _called(function: Callable[..., Any]) -> str:
    return getattr(function, "__qualname__", type(function).__name__).rpartition("<locals>.")[2]


def _shown(value: Any) -> Any:
    """Return the value of a setting as JSON has it."""
    if isinstance(value, Mapping):
        return {kind.__name__: _shown(wait) for kind, wait in value.items()}
    if isinstance(value, tuple):
        return [kind.__name__ for kind in value]
    if value is UNSET:
        return None
    return _called(value) if callable(value) else value
