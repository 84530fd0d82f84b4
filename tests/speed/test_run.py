"""A run of the measurements at its smallest."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from fencepost.speed import pool
from fencepost.speed.measurement import Figure, MeasurementFailed, Spread, Waits
from fencepost.speed.run import MEASUREMENTS, run
from fencepost.speed.store import BATCHES
from fencepost.stress.machine.processes import living_in

from ..processes import wait_until


# BENCH-1
def test_each_thing_is_measured_in_every_round_beside_raw_sqlite(tmp_path: Path) -> None:
    told: list[str] = []

    report = run(tmp_path, names=MEASUREMENTS, rounds=2, seconds=0.01, on_round=told.append)

    rates = [figure for figure in report.figures if isinstance(figure, Figure)]
    assert [(rate.name, rate.batch) for rate in rates] == [
        *(
            (name, batch)
            for batch in BATCHES
            for name in ("enqueue", "claim, ack", "claim with acks")
        ),
        ("end to end", None),
        ("ctx.transaction()", None),
        ("prefetch=1", None),
    ]
    for rate in rates:
        for ours, theirs, ratio in zip(
            rate.per_second.rounds, rate.raw_per_second.rounds, rate.of_raw.rounds, strict=True
        ):
            assert ratio == pytest.approx(ours / theirs, rel=0.01)
        assert len(rate.of_raw.rounds) == 2
    (idle,) = [figure for figure in report.figures if isinstance(figure, Waits)]
    assert idle.messages == 20
    assert 0 < idle.p50_ms <= idle.p99_ms <= idle.max_ms
    assert len(told) == 2 * len(MEASUREMENTS)
    assert list(tmp_path.iterdir()) == []


def test_a_spread_has_the_median_the_least_and_the_greatest() -> None:
    assert Spread.of([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0, [3.0, 1.0, 2.0])


def test_a_handler_that_fails_ends_the_measurement(tmp_path: Path) -> None:
    with pool.Pool(tmp_path / "pool", "transaction") as workers:
        with workers.store.transaction() as tx:
            tx.execute("drop table effects")
        workers.enqueue(["a"])

        with pytest.raises(MeasurementFailed, match=r"a handler failed: .*effects"):
            workers.drain()


def test_a_pool_that_does_not_come_up_ends_the_measurement(tmp_path: Path) -> None:
    with (
        pytest.raises(MeasurementFailed, match=r"the pool has ended: .*nonsense"),
        pool.Pool(tmp_path / "pool", "nonsense"),
    ):
        pass


def test_a_pool_that_is_killed_ends_the_measurement(tmp_path: Path) -> None:
    with pool.Pool(tmp_path / "pool", "empty") as workers:
        os.kill(workers.pid, signal.SIGKILL)
        wait_until(lambda: not living_in(tmp_path / "pool"), "its workers are gone, too")
        workers.enqueue(["a"])

        with pytest.raises(MeasurementFailed, match="the pool has ended"):
            workers.drain()
