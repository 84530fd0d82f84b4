"""The conditions of a list or a bulk operation."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Self, TypedDict

from ..errors import InvalidInput
from . import validate
from .messages.state import STATES

# What may be asked for: "ready" has in it what is "scheduled", ready but not before a time.
ASKED_STATES: tuple[str, ...] = (*STATES, "scheduled")

Moment = float | datetime | timedelta


class Conditions(TypedDict, total=False):
    """Conditions on deliveries; all must hold, and None is no condition.

    `Store.deliveries` says what each means.
    """

    state: str | None
    source: str | None
    key: str | None
    event: str | None
    error: str | None
    since: Moment | None


class Wanted(Conditions, total=False):
    """Conditions that the deliveries of any queue can be asked for."""

    queue: str | None
    message: int | None


@dataclass(frozen=True, slots=True)
class Filter:
    """`Wanted`, checked, as the engine gets it."""

    state: str | None = None
    queue: str | None = None
    source: str | None = None
    key: str | None = None
    event: str | None = None
    error: str | None = None
    since_ms: int | None = None
    message: int | None = None

    @classmethod
    def checked(cls, *, now_ms: int, since: object = None, **given: Any) -> Self:
        """Return one of what a caller has given.

        Raises:
            InvalidInput: Something of it makes no sense.
        """
        wanted = cls(**given, since_ms=None if since is None else _since_ms(since, now_ms))
        if wanted.state is not None and wanted.state not in ASKED_STATES:
            states = ", ".join(ASKED_STATES)
            raise InvalidInput(f"state must be one of {states}, not {wanted.state!r}")
        if wanted.queue is not None:
            validate.name(wanted.queue, "queue")
        if wanted.source is not None:
            validate.source(wanted.source, "source")
        if wanted.key is not None:
            validate.key(wanted.key)
        for what in ("event", "error"):
            value = getattr(wanted, what)
            if value is not None and not isinstance(value, str):
                raise InvalidInput(f"{what} must be a str, not {value!r}")
            if value is not None and not value.isprintable():
                raise InvalidInput(f"{what} must be printable, not {value!r}")
        if wanted.message is not None:
            validate.id(wanted.message)
        return wanted

    def of(self, queue: str) -> Self:
        """Return the same for one queue."""
        return replace(self, queue=queue)


def _since_ms(since: object, now_ms: int) -> int:
    if isinstance(since, timedelta):
        return now_ms - validate.milliseconds(since, "since")
    if isinstance(since, datetime):
        if since.tzinfo is None:
            raise InvalidInput("since must be a datetime with its time zone")
        since = since.timestamp()
    if isinstance(since, bool) or not isinstance(since, int | float) or math.isnan(since):
        raise InvalidInput(
            f"since must be Unix seconds, a datetime, or a timedelta for so long ago, not {since!r}"
        )
    return int(max(-(2**53), min(2**53, since * 1000)))
