"""What an app declares, in lines for people."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

_WIDTH = 80


def of_sources(sources: list[dict[str, Any]]) -> Iterator[str]:
    """Say what its sources are, and where they go."""
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


def of_schedules(schedules: list[dict[str, Any]]) -> Iterator[str]:
    """Say when its schedules come next."""
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


def of_queues(queues: list[dict[str, Any]]) -> Iterator[str]:
    """Say what runs for each queue, and with which settings."""
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
        attempts = f", at most {many(most, 'attempt')}" if most else ""
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


def of_store(store: dict[str, Any]) -> Iterator[str]:
    """Say where its store is."""
    yield "Store"
    yield f"  {store['path']}" + ("" if store["exists"] else " (not there yet)")


def _wrapped(parts: Iterable[str]) -> list[str]:
    text = "; ".join(parts)
    return textwrap.wrap(
        text, _WIDTH, initial_indent=" " * 4, subsequent_indent=" " * 4, break_on_hyphens=False
    )


def many(count: int, one: str, more: str = "") -> str:
    """Return a number of things."""
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
