"""A simulated process: a store of its own, and what it remembers until it dies."""

from __future__ import annotations

from typing import Any, NamedTuple

from ...store import Store
from ...store.claim import Claim
from ...store.leases import Lease
from ...store.once import Once


class Call(NamedTuple):
    """A call as the reference makes it."""

    verb: str
    arguments: tuple[Any, ...]


class Process:
    """One process.

    Attributes:
        number: Its own; its pid is a new one each time it is started.
        store: None while it is down.
        awake_at: It is paused until then, on the machine's boot clock.
        call: What it is in the middle of.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.pid = number
        self.store: Store | None = None
        self.awake_at = 0
        self.call: Call | None = None
        self.claims: list[Claim] = []
        self.leases: list[Lease] = []
        self.turns: list[tuple[Once, int]] = []  # with how long to keep the result, in ms

    def __repr__(self) -> str:
        return f"process {self.number}"

    def forget(self) -> None:
        """Lose its memory."""
        self.store = None
        self.call = None
        self.claims, self.leases, self.turns = [], [], []
