"""Many random calls against a dictionary that knows the rules."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from fencepost import LimitExceeded, Store

from ..clock import FakeClock

CALLS = 400
KEYS = [f"k{n}" for n in range(9)]
CAP = 5


@dataclass
class Model:
    """What a namespace should hold: key to value, creation, expiry."""

    rejects: bool
    rows: dict[str, tuple[int, int, int | None]] = field(default_factory=dict)

    def live(self, now: int) -> dict[str, tuple[int, int, int | None]]:
        return {k: row for k, row in self.rows.items() if row[2] is None or row[2] > now}

    def put(self, key: str, row: tuple[int, int, int | None]) -> bool:
        """Return False where there is no room; every write frees what has expired."""
        live = self.live(row[1])
        if key not in live and len(live) == CAP:
            if self.rejects:
                return False
            del live[min(live, key=lambda k: (live[k][1], k))]
        self.rows = {**live, key: row}
        return True


# KV-1, KV-2, KV-5, KV-6, KV-20, KV-21, KV-27, CLAIMKEY-1, CLAIMKEY-4
@pytest.mark.parametrize("seed", range(6))
def test_a_namespace_is_a_dictionary_with_a_cap_and_a_clock(
    store: Store, clock: FakeClock, seed: int
) -> None:
    chance = random.Random(seed)
    overflow = "reject" if seed % 2 else "evict"
    options: dict[str, Any] = {"max_entries": CAP, "ttl": 60, "overflow": overflow}
    keyed = store.keyed("a", "x", **options)
    model = Model(rejects=seed % 2 == 1)

    for value in range(CALLS):
        key, now = chance.choice(KEYS), clock.wall
        verb = chance.choice(["register", "claim", "consume", "delete", "look", "wait", "update"])
        live = model.live(now)
        ttl = chance.choice([None, 3])
        row = (value, now, now + (ttl or 60) * 1000)
        if verb == "wait":
            clock.advance(chance.choice([0.5, 1, 4]))
        elif verb == "look":
            assert keyed.lookup(key) == (live[key][0] if key in live else None)
        elif verb == "consume":
            assert keyed.consume(key) == (live[key][0] if key in live else None)
            model.rows = {k: row for k, row in live.items() if k != key}
        elif verb == "delete":
            assert keyed.delete(key) is (key in model.rows)
            model.rows = {k: row for k, row in live.items() if k != key}
        elif verb == "claim" and key in live:
            assert keyed.register_if_absent(key, value, ttl) is False
            model.rows = live
        else:
            calls: dict[str, Callable[[str, int, float | None], object]] = {
                "claim": keyed.register_if_absent,
                "register": keyed.register,
                "update": lambda key, value, ttl: keyed.update(key, lambda _: value, ttl=ttl),
            }
            call = calls[verb]
            if model.put(key, row):
                call(key, value, ttl)
            else:
                with pytest.raises(LimitExceeded):
                    call(key, value, ttl)
        _agree(store, model, clock.wall)


def _agree(store: Store, model: Model, now: int) -> None:
    keyed = store.keyed("a", "x")
    live = model.live(now)
    wanted = sorted((row[1] / 1000, key, row[0]) for key, row in live.items())
    assert [(e.created_at, e.key, e.value) for e in keyed.entries()] == wanted
    assert keyed.count() == len(live)
    space = keyed.capacity()
    assert space is not None
    assert len(live) <= space.rows == space.owner_rows <= CAP
