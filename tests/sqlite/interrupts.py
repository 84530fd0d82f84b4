"""What a signal's handler raises, wherever it can."""

from __future__ import annotations

import dis
import itertools
import sys
from collections.abc import Callable, Iterator
from types import FrameType

_RESUME = dis.opmap["RESUME"]


class Interrupted(Exception):
    """A handler raised it."""


def everywhere(call: Callable[[], object]) -> Iterator[Callable[[], None]]:
    """Yield functions that make the call and interrupt it, each a step later than the one before.

    The interpreter runs handlers where a function of Python's begins or goes on, and behind
    a call of one written in C. The last function yielded is not interrupted, and returns.
    """
    for steps in itertools.count(1):
        strike = _Strike(call, steps)
        yield strike
        if strike.came_through:
            return


class _Strike:
    def __init__(self, call: Callable[[], object], steps: int) -> None:
        self._call = call
        self._steps = steps
        self.came_through = False

    def __call__(self) -> None:
        sys.setprofile(self._step)
        try:
            self._call()
        finally:
            sys.setprofile(None)
        self.came_through = True

    def _step(self, frame: FrameType, event: str, arg: object) -> None:
        begins = event == "call" and frame.f_code.co_code[frame.f_lasti] == _RESUME
        if begins or event == "c_return":
            self._steps -= 1
            if self._steps == 0:
                raise Interrupted
