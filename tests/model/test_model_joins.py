"""Joins beside all that queues do: groups are claimed, ended, failed in part and taken back."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import MultipleResults, multiple, rule

from fencepost import Claim, Receipt, Store
from fencepost.store.engine.durable.joins import Apart
from fencepost.store.rules.failures import backoff
from fencepost.store.types.messages.draft import Address, Draft, Join

from .machine import OPENINGS, Pair, profile
from .test_model_queue import QueueMachine, _on


class _Longest:
    """In place of a random wait: the longest, so that both engines wait as long."""

    def randint(self, least: int, most: int) -> int:
        return most


class JoinMachine(QueueMachine):
    """As queues, and some deliveries of a lane are handed over together."""

    def __init__(self) -> None:
        super().__init__()
        self._jitter = vars(backoff)["jitter"]
        vars(backoff)["jitter"] = _Longest()

    def teardown(self) -> None:
        vars(backoff)["jitter"] = self._jitter
        super().teardown()

    @rule(
        which=OPENINGS,
        count=st.integers(1, 4),
        lane=st.sampled_from(["east", "east", "west", None]),
        join=st.sampled_from(
            [
                Join(5_000, 3),
                Join(5_000, 3),
                Join(0, 2),
                Join(5_000, 9, 20_000),
                Join(5_000, 9, latest=True),
            ]
        ),
    )
    def arrive(self, which: int, count: int, lane: str | None, join: Join) -> None:
        policy: Any = "latest" if join.latest and lane else "strict"
        address = Address("mail", lane=lane, lane_policy=policy, join=join)
        drafts = [Draft("s", "s", None, "e", {}, b"one", [address]) for _ in range(count)]

        def arrived(store: Store) -> list[Receipt]:
            return store.engine.queue.enqueue(drafts)

        self.same(which, arrived)

    @rule(
        target=QueueMachine.claims,
        which=OPENINGS,
        limit=st.integers(1, 2),
        most=st.sampled_from([1, 2, 3, 9]),
        newest=st.sampled_from([False, False, True]),
    )
    def claim_a_group(
        self, which: int, limit: int, most: int, newest: bool
    ) -> MultipleResults[Any]:
        def claimed(store: Store) -> list[Claim]:
            leases, _ = store.engine.queue.claim(
                ["mail"], limit=limit, lease_ms=5_000, joins={"mail": most}
            )
            claims = [Claim(store.engine, leased) for leased in leases]
            for claim in claims:
                if newest:
                    claim.take_newest()
            return claims

        found = self._claimed(self.both(which, claimed))
        return multiple(*found.values)

    @rule(
        which=OPENINGS,
        claim=QueueMachine.claims,
        failed=st.sets(st.integers(0, 3), min_size=1, max_size=3),
        delay=st.sampled_from([None, 0, 5_000]),
    )
    def fail_some(self, which: int, claim: Pair, failed: set[int], delay: int | None) -> None:
        def settled(store: Store) -> None:
            one = _on(store, claim)
            ids = [one.id, *one.hold.joined]
            apart = [Apart(ids[n], delay, "no") for n in sorted(failed) if n < len(ids)]
            if not one.hold.latest:
                store.engine.durable.joins.settle(one.hold, apart, None)

        self.same(which, settled)


TestJoins = JoinMachine.TestCase
TestJoins.settings = profile(examples=50, steps=40)
