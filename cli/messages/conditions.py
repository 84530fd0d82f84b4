"""Options that select deliveries: --state, --queue, --since and others."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import click

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_AGO = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?[smhdw])+")
_PART = re.compile(r"([0-9.]+)([smhdw])")
# From here on a number is a time and not an age: 2001.
_FIRST_MOMENT = 1_000_000_000


def since(text: str) -> timedelta | datetime:
    """Read a time: seconds or 2h ago, or ISO 8601, in UTC unless it has another offset."""
    given = text.strip().lower()
    try:
        if _AGO.fullmatch(given):
            seconds = sum(float(n) * _UNITS[unit] for n, unit in _PART.findall(given))
            return timedelta(seconds=seconds)
        if re.fullmatch(r"[0-9]+(\.[0-9]+)?", given):
            if float(given) >= _FIRST_MOMENT:
                return datetime.fromtimestamp(float(given), UTC)
            return timedelta(seconds=float(given))
        moment = datetime.fromisoformat(given.upper())
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(
            f"{text!r} is not a time; give an age, such as 90 (seconds) or 2h, or a time, such as 2026-11-30T09:00Z"
        ) from error
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def condition_options(
    states: Sequence[str], *, queue: bool = True
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add the options to a command, which gets the given ones as `wanted`."""
    options = {
        "state": click.option(
            "--state", type=click.Choice(states), help="Only deliveries in this state."
        ),
        "queue": click.option("--queue", metavar="Q", help="Only deliveries of this queue."),
        "source": click.option("--source", metavar="S", help="Only messages of this source."),
        "key": click.option("--key", metavar="K", help="Only messages with this key."),
        "event": click.option(
            "--event", metavar="E", help="Only events that match this shell pattern."
        ),
        "error": click.option(
            "--error", metavar="TEXT", help="Only deliveries whose error contains TEXT."
        ),
        "since": click.option(
            "--since",
            type=since,
            metavar="TIME",
            help="Only messages received since TIME: 90 (seconds ago), 2h, 2026-11-30T09:00Z.",
        ),
    }
    if not queue:
        del options["queue"]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def call(**given: Any) -> None:
            wanted = {name: given.pop(name) for name in options}
            chosen = {name: value for name, value in wanted.items() if value is not None}
            command(wanted=chosen, **given)

        for option in reversed(options.values()):
            call = option(call)
        return call

    return decorate
