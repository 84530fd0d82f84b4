"""What a handler waits for."""

from __future__ import annotations

from typing import Literal, NamedTuple

from msgspec import Struct

# What has no time comes due then: no query has to know of another kind of row.
NEVER_MS = 253_402_300_799_000  # the end of the year 9999

# Of one delivery.
MOST_WAITS = 10_000

# What becomes of an answer: kept, known already, another one was first, or too late.
Answered = Literal["accepted", "duplicate", "conflict", "gone"]


class Place(NamedTuple):
    """Where in a delivery an answer belongs.

    Attributes:
        occurrence: 1 for the first wait of that name in an attempt.
        generation: Of the delivery; an answer to an earlier one comes too late.
    """

    delivery: int
    name: str
    occurrence: int
    generation: int = 0


class Subject(NamedTuple):
    """A message that a handler waits for.

    Attributes:
        event: A shell pattern, which stands for what is below it as well.
        key: What the source's `wait_key` gives of it; None: any.
        after: It has an id greater than this one.
    """

    source: str
    event: str
    key: str | None
    after: int


class Wanted(NamedTuple):
    """What a handler waits for: an answer, or a message if there is a subject."""

    place: Place
    deadline_ms: int
    subject: Subject | None = None


class Wait(Struct, frozen=True, gc=False):
    """A wait as it is stored.

    Attributes:
        deadline_ms: When it is over; None while the handler has not reached it.
        answer: JSON text; None while there is none.
        answered_at_ms: On the store's clock.
        after: Of a wait for a message: none up to this one is it.
    """

    deadline_ms: int | None
    answer: str | None
    answered_at_ms: int | None = None
    after: int | None = None


class Secret(NamedTuple):
    """What signs the tokens of waits.

    Attributes:
        id: 1 to 255.
        retired_at_ms: Since when it proves nothing; None while it does.
    """

    id: int
    secret: bytes
    made_at_ms: int
    retired_at_ms: int | None
