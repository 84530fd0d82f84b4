"""The settings of a handler that joins, checked together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...store.errors import InvalidInput
from ...store.types.messages.draft import Join
from ...store.types.messages.message import Message
from ...store.types.validate import count
from ..functions import of_message

Lane = Callable[[Message], str | int | None]

DEFAULT_WINDOW = 5.0
DEFAULT_MOST = 500
MOST = 10_000
_BOUND_WINDOWS = 10

# What has no meaning without coalesce.
_PARTS = ("window", "most", "debounce", "latest_only")


def coalesce(value: Any, what: str) -> Lane | bool:
    """Return a function from a message to its key, or True: the lane is the key."""
    chosen: Lane | bool = True if value is True else of_message(value, what)
    return chosen


def key_as_lane(lane: Lane | None, policy: str, settings: Mapping[str, Any]) -> Lane | None:
    """Return the function that chooses the lane: the key is the lane of a handler that joins.

    Raises:
        InvalidInput: It has a lane of its own, or its key is not a function.
    """
    if (key := settings.get("coalesce")) is None:
        return lane
    if lane is not None or policy != "strict":
        raise InvalidInput("lane and lane_policy cannot be combined with coalesce: it is the lane")
    chosen: Lane = of_message(key, "coalesce")
    return chosen


def lane_as_key(settings: Mapping[str, Any]) -> None:
    """Refuse a function where the lane is given to enqueue.

    Raises:
        InvalidInput: The key is one.
    """
    if callable(settings.get("coalesce")):
        raise InvalidInput(
            "a task's key is the lane= that enqueue is given: use coalesce=True, without a function"
        )


def refuse_joins(settings: Mapping[str, Any], what: str) -> None:
    """Refuse `coalesce` for what takes one message at a time.

    Raises:
        InvalidInput: It is set.
    """
    if settings.get("coalesce") is not None:
        raise InvalidInput(f"{what} takes one message at a time: it has no coalesce")


def most(value: Any, what: str) -> int:
    """Return how many a call may have."""
    return count(value, what, most=MOST)


def check_joins(given: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """Refuse settings that do not fit together.

    Raises:
        InvalidInput: They do not.
    """
    if "coalesce" not in settings:
        wrong = [name for name in _PARTS if given.get(name) is not None]
        if wrong:
            raise InvalidInput(f"{_need(wrong)} coalesce=")
        return
    if settings.get("at_most_once"):
        raise InvalidInput(
            "coalesce cannot be combined with at_most_once: messages that fail are called again"
            " by halves"
        )
    if settings.get("prefetch") is not None:
        raise InvalidInput("coalesce cannot be combined with prefetch: a call has many already")
    if settings["coalesce"] is True:
        wrong = [
            name for name in ("window", "debounce", "latest_only") if given.get(name) is not None
        ]
        if wrong:
            raise InvalidInput(
                f"{_need(wrong)} coalesce= as a function: of messages whose lane is"
                " given to enqueue, those that wait are handed over at once"
            )


def join(settings: Any) -> Join | None:
    """Return what the store has to know of a message that joins, None if it waits for no other."""
    if not callable(settings.coalesce):
        return None
    window_ms = round(settings.window * 1000)
    bound = window_ms * _BOUND_WINDOWS if settings.debounce else None
    return Join(window_ms, settings.most, bound, settings.latest_only)


def _need(names: list[str]) -> str:
    return f"{' and '.join(names)} {'needs' if len(names) == 1 else 'need'}"
