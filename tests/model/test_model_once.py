"""Claims of keys against their model: with aliases and payloads, completed late and twice."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, MultipleResults, initialize, invariant, multiple, rule

from fencepost import InvalidInput, KeyConflict, LeaseHeld, LeaseLost, Once
from fencepost.store.engine.clock import Term
from fencepost.store.engine.once import Claimed, KeyHold

from ..sqlite.inside import ask
from .machine import OPENINGS, RolledBack, StoreMachine, agree, profile
from .once_model import DAY, Keys, Worker

SPACES = ["stripe", "orders"]

spaces = st.sampled_from(SPACES)
keys = st.sampled_from(["a", "b", "c"])
payloads = st.sampled_from([None, None, b"one", b"two"])
results = st.sampled_from([None, 1, {"ok": [True]}])
leases = st.sampled_from([1, 5_000, 10_000])
keeps = st.sampled_from([1, 5_000, 20_000])


class OnceMachine(StoreMachine):
    """Claims stay usable for ever: late, twice, superseded, after a reopening."""

    claims = Bundle("claims")

    @initialize()
    def make_a_table(self) -> None:
        self.model = Keys()
        self.last_fence = 0
        self.effects: list[int] = []
        with self.stores[0].transaction() as tx:
            tx.execute("create table effects (fence integer)")

    @rule(
        target=claims,
        which=OPENINGS,
        space=spaces,
        key=keys,
        aliases=st.lists(keys, max_size=2),
        payload=payloads,
        lease=leases,
        keep=keeps,
    )
    def claim(
        self,
        which: int,
        space: str,
        key: str,
        aliases: list[str],
        payload: bytes | None,
        lease: int,
        keep: int,
    ) -> MultipleResults[Any]:
        named = [(space, each) for each in dict.fromkeys([key, *aliases])]
        wanted, once = agree(
            lambda: self.model.claim(named, payload, lease, keep, self.now),
            lambda: self.stores[which].once(
                space,
                key,
                lease=lease / 1000,
                keep_for=keep / 1000,
                payload=payload,
                aliases=aliases,
            ),
        )
        if wanted is None:
            return multiple()
        return self._answered(wanted, once)

    def _answered(self, wanted: tuple[str, Any], once: Once) -> MultipleResults[Any]:
        kind, found = wanted
        assert (once.claimed, once.done) == (kind == "claimed", kind == "done")
        if kind == "claimed":
            worker, displaced = found
            self._claimed(worker, displaced, once)
            return multiple((worker, [once]))
        if kind == "done":
            assert (once.result, once.holder) == (found.result, None)
        else:
            assert once.holder == found.by.holder
            assert once.expires_at == found.expires / 1000
            assert once.retry_after == (found.expires - self.now) / 1000
        with pytest.raises(InvalidInput):
            once.complete()
        return multiple()

    def _claimed(self, worker: Worker, displaced: Any, once: Once) -> None:
        assert once.fence is not None
        assert once.fence > self.last_fence
        worker.fence = self.last_fence = once.fence
        fence, worker.holder = _standing(self.path, *worker.keys[0])
        assert fence == once.fence
        assert once.expires_at == worker.until / 1000
        lapsed = once.displaced
        assert (lapsed and (lapsed.owner, lapsed.fence, lapsed.expired_at)) == displaced
        assert not once.lost

    @rule(which=OPENINGS, pair=claims, result=results)
    def complete(self, which: int, pair: Any, result: Any) -> None:
        worker, once = self._used(which, pair)
        agree(
            lambda: self.model.complete(worker, result, self.now),
            lambda: once.complete(result),
        )

    @rule(which=OPENINGS, pair=claims, commits=st.booleans())
    def complete_with_rows_of_ones_own(self, which: int, pair: Any, commits: bool) -> None:
        worker, once = self._used(which, pair)
        done = False

        def stored() -> None:
            nonlocal done
            with self.stores[which].transaction() as tx:
                tx.execute("insert into effects values (?)", (once.fence,))
                with pytest.raises(InvalidInput):
                    self.stores[which].once("stripe", "z")
                once.complete(once.fence)
                if not commits:
                    raise RolledBack
            done = True

        if not commits:
            with pytest.raises((RolledBack, LeaseLost)):
                stored()
            return
        agree(lambda: self.model.complete(worker, worker.fence, self.now), stored)
        if done:
            self.effects.append(worker.fence)

    @rule(which=OPENINGS, pair=claims)
    def release(self, which: int, pair: Any) -> None:
        worker, once = self._used(which, pair)
        agree(lambda: self.model.release(worker, self.now), once.release)

    @rule(which=OPENINGS, pair=claims, lease=st.sampled_from([None, 1, 5_000, 10_000]))
    def renew(self, which: int, pair: Any, lease: int | None) -> None:
        worker, once = self._used(which, pair)
        agree(
            lambda: self.model.renew(worker, lease, self.now),
            lambda: once.renew(None if lease is None else lease / 1000),
        )
        assert once.expires_at == worker.until / 1000
        assert once.lost is worker.lost(self.now)

    @rule(
        which=OPENINGS,
        space=spaces,
        key=keys,
        payload=payloads,
        result=results,
        lasts=st.sampled_from([0, 0, 60, 90]),
        ends=st.sampled_from(["well", "well", "raises", "overtaken"]),
    )
    def call(
        self,
        which: int,
        space: str,
        key: str,
        payload: bytes | None,
        result: Any,
        lasts: float,
        ends: str,
    ) -> None:
        """A function that is idempotent by its key; its lease lasts 90 s, in fake time."""
        named = [(space, key)]
        ran: list[Worker] = []
        other = self.stores[1 - which]

        def work() -> Any:
            kind, found = self.model.claim(named, payload, 90_000, 20_000, self.now)
            assert kind == "claimed"
            worker, _ = found
            worker.fence, worker.holder = _standing(self.path, space, key)
            assert worker.fence > self.last_fence
            self.last_fence = worker.fence
            ran.append(worker)
            self.clock.advance(lasts)
            if ends == "overtaken":
                self._answered(
                    self.model.claim(named, None, 5_000, 5_000, self.now),
                    other.once(space, key, lease=5, keep_for=5),
                )
            if ends == "raises":
                raise RolledBack
            return result

        run = self.stores[which].idempotent(
            space,
            key=lambda: key,
            lease=90,
            keep_for=20,
            payload=None if payload is None else lambda: payload,
        )(work)
        before = self.model.records.get((space, key))
        live = before is not None and before.expires > self.now and before.state != "released"
        try:
            answer = run()
        except KeyConflict:
            assert before is not None
            assert live
            assert None not in (payload, before.payload)
            assert payload != before.payload
            assert not ran
        except LeaseHeld as error:
            assert before is not None
            assert live
            assert before.state == "claimed"
            assert (error.holder, ran) == (before.by.holder, [])  # noqa: PT017 - one of many outcomes
        except RolledBack:
            assert ends == "raises"
            self.model.release(ran[0], self.now)
        except LeaseLost:
            assert (ends, lasts) == ("overtaken", 90)
            assert self.model.records[space, key].by is not ran[0]
        else:
            if ran:
                self.model.complete(ran[0], result, self.now)
                assert answer == result
            else:
                assert before is not None
                assert live
                assert (before.state, answer) == ("done", before.result)

    @rule(seconds=st.sampled_from([DAY / 1000 - 5, DAY / 1000 - 0.001, DAY / 1000]))
    def a_day_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(which=OPENINGS)
    def sweep(self, which: int) -> None:
        assert self.stores[which].sweep() == self.model.sweep(self.now)

    # after each step

    @invariant()
    def all_that_can_be_seen_is_the_same(self) -> None:
        wanted = [
            (*key, one.state, one.by.fence, one.expires)
            for key, one in sorted(self.model.records.items())
        ]
        assert ask(self.path, _ROWS) == wanted
        assert ask(self.path, "select fence from effects") == [(fence,) for fence in self.effects]

    # helpers

    def moments(self) -> list[int]:
        ends = [record.expires for record in self.model.records.values()]
        return ends + [end + DAY for end in ends]

    def newest(self) -> int:
        return 0

    def rebooted(self) -> None:
        self.model.reboot()

    def _used(self, which: int, pair: Any) -> tuple[Worker, Once]:
        """Return a claim, made from its proof when its opening is closed or another's."""
        worker, (*_, once) = pair
        engine = self.stores[which].engine
        if once._engine is not engine:
            hold: KeyHold = once._hold
            until = round(once.expires_at * 1000)
            once = Once(
                engine,
                once.namespace,
                once.key,
                Claimed(hold, Term(until, worker.lease), once.displaced),
                asked_ms=self.stopwatch(worker.believed_until - worker.lease),
                lease_ms=worker.lease,
                keep_ms=worker.keep,
            )
            worker.refused = False
            pair[1].append(once)
        return worker, once


def _standing(path: str, space: str, key: str) -> tuple[int, str]:
    """Return the fence and the holder of a key."""
    rows = ask(path, "select namespace, key, fence, holder from fp_once")
    ((fence, holder),) = [row[2:] for row in rows if row[:2] == (space, key)]
    assert isinstance(fence, int)
    return fence, str(holder)


_ROWS = """
select namespace, key, state, fence, expires_at_ms
from fp_once
order by namespace, key
"""


TestOnce = OnceMachine.TestCase
TestOnce.settings = profile(examples=60, steps=40)
