"""The steps of a script: each is chosen once, and may be taken again when it has failed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Any

from ....store import connect
from ....store.claim import Claim
from ....store.errors import LeaseLost
from ....store.leases import Lease
from ....store.once import Once
from ....store.store import Store
from ...machine.clocks import Machine

_CLAIM_SECONDS = 1.0
_LONG_SECONDS = 3600.0

# Does a step and returns its answer; given True, does it again.
Take = Callable[[bool], Any]


class Steps:
    """Chooses what each step is done to, on a store that the first step makes.

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

    def close(self) -> None:
        """Close the store, if it is open."""
        if self._store is not None:
            self._store.close()

    def open(self) -> Take:
        def take(again: bool) -> None:
            self._store = connect(self._path, clock=self._clock)
            self.opened = True

        return take

    def reopen(self) -> Take:
        self._leases, self._onces = [], []

        def take(again: bool) -> None:
            self.opened = False
            self.store.close()
            self._store = connect(self._path, clock=self._clock)
            self.opened = True

        return take

    def make_table(self) -> Take:
        def take(again: bool) -> None:
            with self.store.transaction() as tx:
                tx.execute("create table if not exists effects (key text)")

        return take

    def enqueue(self) -> Take:
        key, body = self._number("m"), self._body()
        lane = self._random.choice((None, None, None, "a", "b"))

        def take(again: bool) -> int:
            receipt = self.store.queue("mail").enqueue(body, key=key, lane=lane)
            assert again or receipt.status == "accepted", receipt
            self._bodies[key] = body
            return receipt.message_id

        return take

    def enqueue_again(self) -> Take:
        key = self._random.choice(list(self._bodies))

        def take(again: bool) -> tuple[str, int]:
            receipt = self.store.queue("mail").enqueue(self._bodies[key], key=key)
            return receipt.status, receipt.message_id

        return take

    def enqueue_many(self) -> Take:
        some = {self._number("m"): self._body() for _ in range(self._random.randint(2, 4))}

        def take(again: bool) -> list[int]:
            receipts = self.store.queue("mail").enqueue_many(
                {"body": body, "key": key} for key, body in some.items()
            )
            self._bodies |= some
            return [receipt.message_id for receipt in receipts]

        return take

    def claim(self) -> Take:
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

    def ack(self) -> Take:
        claim = self._take_claim()
        result = {"n": self._random.randint(0, 99)}
        return lambda again: claim.ack(result)

    def complete(self) -> Take:
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

    def abort(self) -> Take:
        claim = self._random.choice(self._claims)

        def take(again: bool) -> None:
            with suppress(_Aborted), claim.transaction() as tx:
                tx.execute("insert into effects values (?)", (claim.message.key,))
                raise _Aborted

        return take

    def renew(self) -> Take:
        claim = self._random.choice(self._claims)
        return lambda again: claim.renew(_CLAIM_SECONDS)

    def retry(self) -> Take:
        claim = self._take_claim()
        return lambda again: claim.retry(delay=0, error="again")

    def release(self) -> Take:
        claim = self._take_claim()
        return lambda again: claim.release()

    def bury(self) -> Take:
        claim = self._take_claim()
        return lambda again: claim.bury("bad")

    def register(self) -> Take:
        key, value = self._number("e"), self._random.randint(0, 99)

        def take(again: bool) -> bool:
            state = self.store.keyed("stress", "state")
            won = state.register_if_absent(key, value)
            self._entries.append(key)
            return won or (again and state.lookup(key) == value)

        return take

    def consume(self) -> Take:
        key = self._entries.pop(self._random.randrange(len(self._entries)))

        def take(again: bool) -> bool:
            return self.store.keyed("stress", "state").consume(key) is not None or again

        return take

    def acquire(self) -> Take:
        name = self._number("l")

        def take(again: bool) -> str:
            lease = self.store.leases.acquire(name, ttl=_LONG_SECONDS, owner="script")
            self._given(lease.fence)
            self._leases.append(lease)
            return lease.owner

        return take

    def keep(self) -> Take:
        lease = self._random.choice(self._leases)
        return lambda again: lease.renew()

    def free(self) -> Take:
        lease = self._leases.pop(self._random.randrange(len(self._leases)))
        return lambda again: lease.release()

    def once(self) -> Take:
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

    def finish(self) -> Take:
        once = self._onces.pop(self._random.randrange(len(self._onces)))

        def take(again: bool) -> None:
            with self.store.transaction() as tx:
                if not tx.execute("select 1 from effects where key = ?", (once.key,)):
                    tx.execute("insert into effects values (?)", (once.key,))
                once.complete({"key": once.key})

        return take

    def tick(self) -> Take:
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
