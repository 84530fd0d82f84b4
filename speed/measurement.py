"""What a measurement is given, and the figures that it returns."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Self

import msgspec

from ..stress.records.report import Machine

BODY_BYTES = 1024
# Text that does not compress to nothing, the same in every run.
BODY = random.Random(1).randbytes(BODY_BYTES // 2).hex().encode()


class MeasurementFailed(Exception):
    """A measurement cannot be finished; the message says why."""


class Setup:
    """Where to measure, and for how long.

    Attributes:
        folder: Its own; the disk that it is on is measured.
        rounds: How often each thing is measured, in turn with what it is held against.
        seconds: About how long each thing is measured in each round.
    """

    def __init__(
        self, folder: Path, rounds: int, seconds: float, on_round: Callable[[str], None]
    ) -> None:
        self.folder = folder
        self.rounds = rounds
        self.seconds = seconds
        self._on_round = on_round

    def each_round(self, words: str) -> Iterator[int]:
        """Count the rounds, and say at the beginning of each what is measured."""
        for number in range(self.rounds):
            self._on_round(f"{words}, round {number + 1} of {self.rounds}")
            yield number


class Spread(msgspec.Struct, frozen=True):
    """A figure of each round, and the median, least and greatest of them."""

    median: float
    least: float
    greatest: float
    rounds: list[float]

    @classmethod
    def of(cls, rounds: Sequence[float]) -> Self:
        """Sum up the figures of the rounds."""
        kept = [float(f"{figure:.4g}") for figure in rounds]
        return cls(float(f"{statistics.median(kept):.4g}"), min(kept), max(kept), kept)


class Figure(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing measured.

    Attributes:
        per_second: Messages a second.
        raw: What it is held against, in words.
        raw_per_second: Messages a second of that.
        of_raw: per_second over raw_per_second, round by round.
        of_raw_mean: The same by all batches and not by the median one; see store.Took.
        of_raw_qpsg: The same against raw SQLite with QPSG on; see Raw.
        share: The least number of messages that a worker handled over the greatest.
    """

    name: str
    per_second: Spread
    raw: str
    raw_per_second: Spread
    of_raw: Spread
    batch: int | None = None
    of_raw_mean: Spread | None = None
    of_raw_qpsg: Spread | None = None
    share: Spread | None = None


class Waits(msgspec.Struct, frozen=True):
    """Milliseconds from before enqueue to the handler's first line, in an idle pool.

    Attributes:
        raw_p50_ms: What raw SQLite takes for an enqueue and a claim of one message.
    """

    name: str
    messages: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    raw_p50_ms: float


class Report(msgspec.Struct, frozen=True):
    """A whole run.

    Attributes:
        machine: Where it ran; its sync times were measured at the beginning.
        body_bytes: Of each message.
        workers: Processes of each pool.
    """

    started_at: str
    took_seconds: float
    rounds: int
    seconds: float
    body_bytes: int
    workers: int
    machine: Machine
    figures: list[Figure | Waits]
