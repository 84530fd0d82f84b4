"""Testing an app: run its handlers, sign requests, move the clock."""

from .clock import Clock
from .context import Context
from .delivering import deliver, enqueue, run_ready
from .messages import message
from .result import Result
from .signing import Signed, signed

__all__ = [
    "Clock",
    "Context",
    "Result",
    "Signed",
    "deliver",
    "enqueue",
    "message",
    "run_ready",
    "signed",
]
