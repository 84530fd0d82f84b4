"""What is kept of a step of a handler."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, Protocol

from msgspec import Struct

from ..transaction import Transaction

StepKind = Literal["call", "error", "now", "sleep", "event", "body"]

# Of one delivery; the id of a record has 16 bits for its number.
MOST_RECORDS = 10_000
MOST_BYTES = 32 * 1024 * 1024


class StepRecord(Struct, frozen=True, gc=False):
    """One step of a delivery that has ended.

    Attributes:
        number: Its place among the records of the delivery, from 1.
        occurrence: 1 for the first step of that name in an attempt.
        arguments_sha256: Of the arguments in canonical form; None where there are none.
        arguments: The beginning of that form, for people.
        outcome: JSON text, or bytes as they are.
        fence: Of the claim under which it was recorded.
        code: The version of the app that recorded it.
    """

    number: int
    name: str
    occurrence: int
    kind: StepKind
    arguments_sha256: bytes | None
    arguments: str | None
    outcome: str | bytes | None
    fence: int
    code: str | None
    recorded_at_ms: int = 0


class StepTransaction(Protocol):
    """A transaction that a step's record is a part of."""

    @property
    def tx(self) -> Transaction:
        """For the caller's own statements."""
        ...

    @property
    def record(self) -> Callable[[StepRecord], None]:
        """Add the record; once."""
        ...

    @property
    def add(self) -> Callable[[Mapping[str, int]], None]:
        """Add to counters."""
        ...
