"""Back-off while the store cannot be used: retry less and less often, log it once."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from ..log.log import log
from ..store.errors import PASSING, FencepostError, StoreCorrupt
from ..store.rules.failures.jitter import jitter

_FIRST_SECONDS = 0.1
_LAST_SECONDS = 5.0

T = TypeVar("T")


class Outage:
    """The failures of a store since it last answered."""

    def __init__(self) -> None:
        self._code = ""
        self._pause = _FIRST_SECONDS

    def met(self, error: FencepostError) -> float:
        """Record a failure; return the seconds to wait before the next try.

        Raises:
            StoreCorrupt: The failure is damage, which no retry mends.
        """
        if isinstance(error, StoreCorrupt):
            raise error
        if error.code != self._code:
            self._code = error.code
            log.warning(
                "the store cannot be used",
                code=error.code,
                operation=error.operation,
                error=str(error),
            )
        pause = jitter.uniform(0.5, 1) * self._pause
        self._pause = min(_LAST_SECONDS, self._pause * 2)
        return pause

    def over(self) -> None:
        """Record that the store has answered."""
        if self._code:
            self._code, self._pause = "", _FIRST_SECONDS
            log.info("the store can be used again")


def patiently(start: Callable[[], T], waiting: Callable[[], object] = lambda: None) -> T:
    """Call `start` until it succeeds; call `waiting` after its first failure."""
    outage = Outage()
    told = False
    while True:
        try:
            answer = start()
        except PASSING as error:
            pause = outage.met(error)
            if not told:
                waiting()
                told = True
            time.sleep(pause)
        else:
            outage.over()
            return answer
