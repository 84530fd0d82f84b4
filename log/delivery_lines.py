"""Log lines about deliveries, all with the same field names."""

from __future__ import annotations

import functools
import os
import sys
import sysconfig
import traceback
from collections.abc import Sequence

from ..store import Claim
from ..store.types.messages.death import Death
from .log import json_text, log

Fields = dict[str, object]

# Its handlers are those of an app.
_NOT_OURS = {"stress"}


def about(claim: Claim) -> Fields:
    """Return the fields that say which delivery a line is about."""
    message = claim.message
    return {
        "source": message.source,
        "key": message.key,
        "message": f"m{message.id}",
        "delivery": f"d{claim.id}",
        "queue": claim.queue,
        "attempt": claim.attempt,
    }


def took(claim: Claim, began: float, ended: float, ended_ms: float) -> Fields:
    """Return the fields of a delivery whose handler has ended.

    Args:
        began, ended: On time.monotonic().
        ended_ms: On the store's clock.
    """
    return {
        **about(claim),
        "duration_ms": round((ended - began) * 1000, 1),
        "since_received_ms": max(0, round(ended_ms - claim.message.received_at * 1000)),
    }


def handled(claim: Claim, began: float, ended: float, ended_ms: float) -> None:
    """Log that a handler has succeeded; `took` says what the arguments are."""
    if not log.renders_json:
        log.info("handled", **took(claim, began, ended, ended_ms))
        return
    # The same, at a tenth of the time.
    message = claim.message
    log.info_json(
        "handled",
        f'"source": {json_text(message.source)}, "key": {json_text(message.key)}, '
        f'"message": "m{message.id}", "delivery": "d{claim.id}", '
        f'"queue": {json_text(claim.queue)}, "attempt": {claim.attempt}, '
        f'"duration_ms": {round((ended - began) * 1000, 1)}, '
        f'"since_received_ms": {max(0, round(ended_ms - message.received_at * 1000))}',
    )


# The line of code at which a handler failed, for deliveries that may be dead letters soon.
places: dict[int, str] = {}


def died(deaths: Sequence[Death]) -> None:
    """Log each dead letter, and why it is dead."""
    for death in deaths:
        log.error(
            "dead letter",
            source=death.source,
            key=death.key,
            message=None if death.message is None else f"m{death.message}",
            delivery=f"d{death.delivery}",
            queue=death.queue,
            attempt=death.attempt,
            error=death.error,
            at=places.pop(death.delivery, None),
        )


def place(error: BaseException) -> str:
    """Return the last line of the user's own code in an error's traceback.

    If the app is installed as a package, there is no such line; then it is the first line that
    is not Fencepost's, which is the handler's, or "".
    """
    found = other = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        path = frame.f_code.co_filename
        whose = _whose(path)
        if whose != "ours":
            where = f"{path.rpartition('/')[2]}:{line} in {frame.f_code.co_name}"
            other = other or where
            found = where if whose == "user's" else found
    return found or other


@functools.lru_cache(maxsize=1000)
def _whose(path: str) -> str:
    """Return whose file it is: "ours", "user's", or "" for an installed one or Python's."""
    real = os.path.realpath(path)
    if real.startswith(_ours()):
        return "ours"
    return "" if path.startswith("<") or real.startswith(_installed()) else "user's"


@functools.cache
def _ours() -> tuple[str, ...]:
    """Return the folders of this package, which in a checkout are links to other places."""
    package = sys.modules[__name__.partition(".")[0]].__path__[0]
    parts = [each for each in os.scandir(package) if each.is_dir() and each.name not in _NOT_OURS]
    return tuple(f"{os.path.realpath(each)}/" for each in parts)


@functools.cache
def _installed() -> tuple[str, ...]:
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    found = {sysconfig.get_path(name) for name in names}
    return tuple(f"{os.path.realpath(each)}/" for each in found if each)
