"""Claims, as the engine gives them and takes them back."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from ...types.messages.message import Message
from ..ports.clock import Term


class Hold(Struct, frozen=True, gc=False, eq=False):
    """What proves a claim: the delivery, its fence, its token.

    Attributes:
        note: What the engine that gave the claim wants to know again when it ends. It proves
            nothing, and a hold without it is as good.
        steps: There may be records of steps, which go when the delivery is done.
        counts: What is added to counters when the delivery is done; None for nothing.
        joined: The deliveries that were claimed with it, oldest first: with the same fence and
            token, and to be ended with it. `id` is older than they are.
        latest: Only the newest of them was handed over. That is `id`, and all `joined` are
            older. With its end, done or dead, they are cancelled as superseded by it. A retry is an
            attempt of it alone, and all of them go back.
    """

    id: int
    fence: int
    token: str
    note: object = None
    steps: bool = False
    counts: Mapping[str, int] | None = None
    joined: tuple[int, ...] = ()
    latest: bool = False

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Hold):
            return NotImplemented
        return (self.id, self.fence, self.token) == (other.id, other.fence, other.token)

    def __hash__(self) -> int:
        return self.fence

    def __repr__(self) -> str:
        return f"Hold(id={self.id}, fence={self.fence})"

    @property
    def what(self) -> str:
        """What it is a hold on, as errors name it."""
        return f"delivery d{self.id}"


class Joined(Struct, frozen=True, gc=False):
    """A delivery that was claimed with the head of its lane."""

    id: int
    message: Message
    attempt: int


class Leased(Struct, frozen=True, gc=False):
    """A delivery as claimed: the message, and what proves the lease.

    Attributes:
        origin: The queue that it was first put in, should it have been moved since.
        generation: How often what its handler remembers was forgotten.
        joined: What was claimed with it, oldest first.
    """

    hold: Hold
    queue: str
    message: Message
    attempt: int
    term: Term
    origin: str | None = None
    generation: int = 0
    joined: tuple[Joined, ...] = ()
