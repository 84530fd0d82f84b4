"""Enqueue with key, claim and ack, in batches: the store, beside raw SQLite, in one process."""

from __future__ import annotations

import itertools
import secrets
import statistics
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack, closing
from typing import NamedTuple, Protocol

from ..store import Store, connect
from ..store.engine import Hold
from .measurement import BODY, Figure, Setup, Spread
from .raw import Raw

BATCHES = (1, 10, 100, 1000)
QUEUE = "bench"
_LEASE_MS = 60_000


class Took(NamedTuple):
    """Seconds a message in one round: of the median batch, and of all of them.

    One commit of some hundred checkpoints, and others are held up by what else syncs to the
    disk. The median has neither; at 1000 messages a batch, each checkpoints.
    """

    median: float
    mean: float


# For each round, by batch, way and step: "enqueue" or "work".
Spent = dict[tuple[int, str, str], list[Took]]


class Way(Protocol):
    """One way to store messages, and to claim and ack them."""

    def enqueue(self, keys: Sequence[str]) -> None: ...
    def work(self, limit: int) -> None:
        """Claim and ack as many."""
        ...


class RawWay:
    """Raw SQLite."""

    def __init__(self, raw: Raw) -> None:
        self._raw = raw

    def enqueue(self, keys: Sequence[str]) -> None:
        self._raw.enqueue(keys, BODY)

    def work(self, limit: int) -> None:
        claims = self._raw.claim(limit)
        assert len(claims.rows) == limit
        self._raw.ack(claims)


class ApartWay:
    """The public verbs: a transaction for the claim, and one for the acks."""

    def __init__(self, store: Store) -> None:
        self._queue = store.queue(QUEUE)

    def enqueue(self, keys: Sequence[str]) -> None:
        if len(keys) == 1:
            self._queue.enqueue(BODY, key=keys[0])
        else:
            self._queue.enqueue_many([{"body": BODY, "key": key} for key in keys])

    def work(self, limit: int) -> None:
        claims = self._queue.claim(limit=limit)
        assert len(claims) == limit
        if limit == 1:
            claims[0].ack()
        else:
            assert not self._queue.ack_many(claims)


class FusedWay(ApartWay):
    """The acks are part of the transaction of the next claim, as workers do it."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._verb = store.engine.queue.claim
        self._acks: list[tuple[Hold, str | None]] = []

    def work(self, limit: int) -> None:
        leases, refused = self._verb([QUEUE], limit=limit, lease_ms=_LEASE_MS, acks=self._acks)
        assert len(leases) == limit
        assert not refused
        self._acks = [(leased.hold, None) for leased in leases]


def measure(setup: Setup) -> list[Figure]:
    """Measure each batch size; the ways take turns, batch by batch."""
    spent: Spent = defaultdict(list)
    for number in setup.each_round("enqueue, claim, ack"):
        with ExitStack() as stack:
            ways = _open(setup, number, stack)
            for batch in BATCHES:
                take_turns(ways, batch, setup.seconds, spent)
    return [figure for batch in BATCHES for figure in _figures(batch, spent)]


def _open(setup: Setup, number: int, stack: ExitStack) -> dict[str, Way]:
    folder = setup.folder / f"store-{number}"
    folder.mkdir()
    raw, qpsg = (
        stack.enter_context(closing(Raw(folder / f"{name}.db", stable_plans=name == "qpsg")))
        for name in ("raw", "qpsg")
    )
    apart, fused = (
        stack.enter_context(connect(folder / f"{name}.db")) for name in ("apart", "fused")
    )
    return {
        "raw": RawWay(raw),
        "qpsg": RawWay(qpsg),
        "apart": ApartWay(apart),
        "fused": FusedWay(fused),
    }


def take_turns(ways: dict[str, Way], batch: int, seconds: float, spent: Spent) -> None:
    """Add what a message takes each way in this round, after one turn to warm up."""
    took: dict[tuple[int, str, str], list[float]] = defaultdict(list)
    order = list(ways.items())
    end = time.perf_counter() + seconds
    for turn in itertools.count():
        prefix = secrets.token_hex(8)
        keys = [f"{prefix}-{n}" for n in range(batch)]
        for name, way in order:
            began = time.perf_counter()
            way.enqueue(keys)
            enqueued = time.perf_counter()
            way.work(batch)
            ended = time.perf_counter()
            if turn:
                took[batch, name, "enqueue"].append((enqueued - began) / batch)
                took[batch, name, "work"].append((ended - enqueued) / batch)
        order.append(order.pop(0))
        if turn and ended > end:
            break
    for key, turns in took.items():
        spent[key].append(Took(statistics.median(turns), statistics.mean(turns)))


def _figures(batch: int, spent: Spent) -> list[Figure]:
    return [
        Figure(
            name=name,
            batch=batch,
            per_second=Spread.of([1 / took.median for took in spent[batch, way, step]]),
            raw=raw,
            raw_per_second=Spread.of([1 / took.median for took in spent[batch, "raw", step]]),
            of_raw=over(spent[batch, "raw", step], spent[batch, way, step]),
            of_raw_mean=Spread.of(
                [
                    theirs.mean / ours.mean
                    for theirs, ours in zip(
                        spent[batch, "raw", step], spent[batch, way, step], strict=True
                    )
                ]
            ),
            of_raw_qpsg=over(spent[batch, "qpsg", step], spent[batch, way, step]),
        )
        for name, way, step, raw in (
            ("enqueue", "apart", "enqueue", "enqueue in the same batches"),
            ("claim, ack", "apart", "work", "claim, then ack in the same batches"),
            ("claim with acks", "fused", "work", "claim, then ack in the same batches"),
        )
    ]


def over(ones: Sequence[Took], others: Sequence[Took]) -> Spread:
    """Return the ratios of the medians of two ways, round by round."""
    return Spread.of([one.median / other.median for one, other in zip(ones, others, strict=True)])
