"""Faults in what is told of memory that ran out."""

from __future__ import annotations

from ...store.errors import FencepostError
from ...store.sqlite.session import faults
from ..harness.canary import Canary


def _untranslated() -> None:
    def translate(error: Exception, operation: str, path: str, waited: float = 0) -> FencepostError:
        raise error

    vars(faults)["translate"] = translate


CANARIES = (
    Canary(
        "out-of-memory-untyped",
        "what SQLite raises when memory runs out reaches the caller as it is",
        scenario="memory",
        trips="typed-errors",
        plant=_untranslated,
    ),
)
