"""Waiting for what has to come."""

from __future__ import annotations

import time
from collections.abc import Callable

# Many times as long as anything here takes, so that a slow machine is no finding.
PATIENCE_SECONDS = 60.0


def until(
    true: Callable[[], object],
    what: str,
    *,
    seconds: float = PATIENCE_SECONDS,
    meanwhile: Callable[[], object] = lambda: None,
    pause: float = 0.01,
) -> None:
    """Wait until something is true, looking every `pause` seconds.

    Raises:
        TimeoutError: It was not in that time; it says `what` was waited for.
    """
    deadline = time.monotonic() + seconds
    while not true():
        meanwhile()
        if time.monotonic() >= deadline:
            raise TimeoutError(f"not in {seconds:.0f} s: {what}")
        time.sleep(pause)


def now_and_then(say: Callable[[], object], *, seconds: float = 1.0) -> Callable[[], None]:
    """Return what says it when called, but not again for so many seconds.

    For who is waited for as long as it gets on.
    """
    said = time.monotonic()

    def again() -> None:
        nonlocal said
        if time.monotonic() - said >= seconds:
            said = time.monotonic()
            say()

    return again
