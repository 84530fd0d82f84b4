"""A workload by script: one step after the other, each known by its answer and its state.

The same seed gives the same steps, on a clock of its own. A step can be taken again when
it has failed, under the same keys; its answer is then to be the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

from ...store import connect
from ...store.claim import Claim
from ...store.errors import LeaseLost
from ...store.leases import Lease
from ...store.once import Once
from ...store.store import Store
from ..machine.clocks import Machine

_TICK_EVERY = 10
_CLAIM_SECONDS = 1.0
_LONG_SECONDS = 3600.0

# What is in a store, by a name for each thing. Of a delivery: (state, attempt, fence).
State = Mapping[str, Any]


@dataclass
class Step:
    """One step of a script.

    Attributes:
        take: Does it and returns the answer; given True, does it again.
        after: What the store then has, for whoever looks to note.
        highest: The greatest fence that anybody has been given by then.
    """

    name: str
    take: Callable[[bool], Any]
    answer: Any = None
    after: State = field(default_factory=dict)
    highest: int = 0


class Script:
    """Takes steps on a store that it makes.

    Attributes:
        opened: The store is open.
        with_effect: The keys of those messages that are completed together with an effect.
    """

    def __init__(self, path: str, random: Random, clock: Machine, *, most_claims: int) -> None:
        self._path = path
        self._random = random
        self._clock = clock
        self._most_claims = most_claims
        self._store: Store | None = None
        self.opened = False
        self._taken = 0
        self._numbers = 0
        self._bodies: dict[str, bytes] = {}
        self._claims: list[Claim] = []
        self._leases: list[Lease] = []
        self._onces: list[Once] = []
        self._entries: list[str] = []
        self.with_effect: set[str] = set()
        self.highest = 0

    @property
    def store(self) -> Store:
        assert self._store is not None
        return self._store

    def next(self) -> Step:
        """Return the next step; the one before it has been taken."""
        if self._store is None:
            return self._step(self._open)
        self._taken += 1
        first = (
            self._make_table,
            self._enqueue,
            self._claim,
            self._complete,
            self._enqueue,
            self._claim,
            self._ack,
            self._register,
            self._consume,
        )
        if self._taken <= len(first):
            return self._step(first[self._taken - 1])
        if self._taken % _TICK_EVERY == 0:
            return self._step(self._tick)
        return self._step(self._random.choices(*self._choices())[0])

    def take(self, step: Step, *, again: bool = False) -> Any:
        """Take a step and return its answer; raises what the store raises."""
        step.answer = step.take(again)
        step.highest = self.highest
        return step.answer

    def close(self) -> None:
        """Close the store, if it is open."""
        if self._store is not None:
            self._store.close()

    def _choices(self) -> tuple[list[Callable[[], Callable[[bool], Any]]], list[float]]:
        weights: dict[Callable[[], Callable[[bool], Any]], float] = {
            self._enqueue: 5,
            self._enqueue_many: 1,
            self._register: 2,
            self._acquire: 1,
            self._once: 1.5,
        }
        if self._bodies:
            weights[self._enqueue_again] = 1
        if self._entries:
            weights[self._consume] = 1
        if len(self._claims) < self._most_claims:
            weights[self._claim] = 5
        if not self._claims:
            weights[self._reopen] = 0.5
        if self._claims:
            weights |= {self._ack: 2, self._complete: 4, self._abort: 1, self._renew: 1}
            weights |= {self._retry: 1, self._release: 1, self._bury: 0.5}
        if self._leases:
            weights |= {self._keep: 1, self._free: 0.5}
        if self._onces:
            weights[self._finish] = 2
        return list(weights), list(weights.values())

    def _step(self, choose: Callable[[], Callable[[bool], Any]]) -> Step:
        name = choose.__name__.strip("_").replace("_", " ")
        return Step(name, choose())

    def _open(self) -> Callable[[bool], Any]:
        def take(again: bool) -> None:
            self._store = connect(self._path, clock=self._clock)
            self.opened = True

        return take

    def _reopen(self) -> Callable[[bool], Any]:
        self._leases, self._onces = [], []

        def take(again: bool) -> None:
            self.opened = False
            self.store.close()
            self._store = connect(self._path, clock=self._clock)
            self.opened = True

        return take

    def _make_table(self) -> Callable[[bool], Any]:
        def take(again: bool) -> None:
            with self.store.transaction() as tx:
                tx.execute("create table if not exists effects (key text)")

        return take

    def _enqueue(self) -> Callable[[bool], Any]:
        key, body = self._number("m"), self._body()
        lane = self._random.choice((None, None, None, "a", "b"))

        def take(again: bool) -> int:
            receipt = self.store.queue("mail").enqueue(body, key=key, lane=lane)
            assert again or receipt.status == "accepted", receipt
            self._bodies[key] = body
            return receipt.message_id

        return take

    def _enqueue_again(self) -> Callable[[bool], Any]:
        key = self._random.choice(list(self._bodies))

        def take(again: bool) -> tuple[str, int]:
            receipt = self.store.queue("mail").enqueue(self._bodies[key], key=key)
            return receipt.status, receipt.message_id

        return take

    def _enqueue_many(self) -> Callable[[bool], Any]:
        some = {self._number("m"): self._body() for _ in range(self._random.randint(2, 4))}

        def take(again: bool) -> list[int]:
            receipts = self.store.queue("mail").enqueue_many(
                {"body": body, "key": key} for key, body in some.items()
            )
            self._bodies |= some
            return [receipt.message_id for receipt in receipts]

        return take

    def _claim(self) -> Callable[[bool], Any]:
        most = self._random.randint(1, self._most_claims - len(self._claims))

        def take(again: bool) -> list[str | None]:
            if again:  # what a claim of unknown outcome took comes back with the lease's end
                self._clock.advance(round(_CLAIM_SECONDS * 1000) + 1)
            claims = self.store.queue("mail").claim(limit=most, lease=_CLAIM_SECONDS)
            for claim in claims:
                self._given(claim.fence)
            self._claims += claims
            return [claim.message.key for claim in claims]

        return take

    def _ack(self) -> Callable[[bool], Any]:
        claim = self._take_claim()
        result = {"n": self._random.randint(0, 99)}
        return lambda again: claim.ack(result)

    def _complete(self) -> Callable[[bool], Any]:
        claim = self._take_claim()
        key = claim.message.key or ""
        self.with_effect.add(key)

        def take(again: bool) -> None:
            try:
                with claim.transaction() as tx:
                    tx.execute("insert into effects values (?)", (key,))
            except LeaseLost as error:
                if not again or error.cause != "settled":
                    raise

        return take

    def _abort(self) -> Callable[[bool], Any]:
        claim = self._random.choice(self._claims)

        def take(again: bool) -> None:
            with suppress(_Aborted), claim.transaction() as tx:
                tx.execute("insert into effects values (?)", (claim.message.key,))
                raise _Aborted

        return take

    def _renew(self) -> Callable[[bool], Any]:
        claim = self._random.choice(self._claims)
        return lambda again: claim.renew(_CLAIM_SECONDS)

    def _retry(self) -> Callable[[bool], Any]:
        claim = self._take_claim()
        return lambda again: claim.retry(delay=0, error="again")

    def _release(self) -> Callable[[bool], Any]:
        claim = self._take_claim()
        return lambda again: claim.release()

    def _bury(self) -> Callable[[bool], Any]:
        claim = self._take_claim()
        return lambda again: claim.bury("bad")

    def _register(self) -> Callable[[bool], Any]:
        key, value = self._number("e"), self._random.randint(0, 99)

        def take(again: bool) -> bool:
            state = self.store.keyed("stress", "state")
            won = state.register_if_absent(key, value)
            self._entries.append(key)
            return won or (again and state.lookup(key) == value)

        return take

    def _consume(self) -> Callable[[bool], Any]:
        key = self._entries.pop(self._random.randrange(len(self._entries)))

        def take(again: bool) -> bool:
            return self.store.keyed("stress", "state").consume(key) is not None or again

        return take

    def _acquire(self) -> Callable[[bool], Any]:
        name = self._number("l")

        def take(again: bool) -> str:
            lease = self.store.leases.acquire(name, ttl=_LONG_SECONDS, owner="script")
            self._given(lease.fence)
            self._leases.append(lease)
            return lease.owner

        return take

    def _keep(self) -> Callable[[bool], Any]:
        lease = self._random.choice(self._leases)
        return lambda again: lease.renew()

    def _free(self) -> Callable[[bool], Any]:
        lease = self._leases.pop(self._random.randrange(len(self._leases)))
        return lambda again: lease.release()

    def _once(self) -> Callable[[bool], Any]:
        key = self._number("o")

        def take(again: bool) -> bool:
            if again:
                self._clock.advance(round(_CLAIM_SECONDS * 1000) + 1)
            once = self.store.once("stress", key, lease=_CLAIM_SECONDS)
            if once.claimed:
                self._given(once.fence or 0)
                self._onces.append(once)
            return once.claimed

        return take

    def _finish(self) -> Callable[[bool], Any]:
        once = self._onces.pop(self._random.randrange(len(self._onces)))

        def take(again: bool) -> None:
            with self.store.transaction() as tx:
                if not tx.execute("select 1 from effects where key = ?", (once.key,)):
                    tx.execute("insert into effects values (?)", (once.key,))
                once.complete({"key": once.key})

        return take

    def _tick(self) -> Callable[[bool], Any]:
        """Sweep, and checkpoint."""

        def take(again: bool) -> None:
            self.store.engine.upkeep.tick()

        return take

    def _number(self, kind: str) -> str:
        self._numbers += 1
        return f"{kind}{self._numbers}"

    def _body(self) -> bytes:
        return self._random.randbytes(self._random.choice((10, 10, 500, 6000)))

    def _take_claim(self) -> Claim:
        return self._claims.pop(self._random.randrange(len(self._claims)))

    def _given(self, fence: int) -> None:
        self.highest = max(self.highest, fence)


class _Aborted(Exception):
    pass


def look(store: Store) -> State:
    """Return what a store has, as of one moment."""
    state: dict[str, Any] = {}
    with store.transaction() as tx:
        for key, *facts in tx.execute(
            "select key, state, attempt, fence from fp_delivery "
            "join fp_message on fp_message.id = message_id"
        ):
            state[f"message {key}"] = tuple(facts)
        for key, value in tx.execute("select key, value from fp_entry"):
            state[f"entry {key}"] = value
        for key, *facts in tx.execute("select key, state, result from fp_once"):
            state[f"once {key}"] = tuple(facts)
        for name, *facts in tx.execute("select name, owner, token is null from fp_lease"):
            state[f"lease {name}"] = tuple(facts)
        if tx.execute("select 1 from sqlite_schema where name = 'effects'"):
            state["effects"] = "table"
            for key, count in tx.execute("select key, count(*) from effects group by key"):
                state[f"effect {key}"] = count
    return state


def differences(seen: State, before: State, after: State) -> Iterator[tuple[str, str]]:
    """Say, by invariant, why a state is neither of the two that it may be."""
    mixed = []
    for name in sorted({*seen, *before, *after}):
        is_, was, to_be = (state.get(name) for state in (seen, before, after))
        if is_ in (was, to_be):
            if was != to_be:
                mixed.append((name, is_ == to_be))
        elif was is None and to_be is None:
            yield "nothing-unexpected", f"{name} is there: {is_}"
        elif name.startswith("effect ") and is_ is not None:
            yield "effects-once", f"{name} is there {is_} times"
        else:
            yield "nothing-lost", f"{name} is {is_}, and was {was}, to be {to_be}"
    if len({done for _, done in mixed}) > 1:
        done, undone = ([name for name, is_ in mixed if is_ == way] for way in (True, False))
        both = f"of one transaction {', '.join(done)} is there, {', '.join(undone)} is not"
        yield "effects-once", both
