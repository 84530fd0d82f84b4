"""Long runs: what grows is seen, and a tiny run finds nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from functools import reduce
from pathlib import Path

import pytest

from fencepost import connect
from fencepost.stress.pools.apps import tally
from fencepost.stress.records.report import Result
from fencepost.stress.scenarios.soak import SCENARIO, judge
from fencepost.stress.workloads import usage
from fencepost.stress.workloads.usage import Usage

from .tiny import Tiny


def test_a_tiny_run_finds_nothing(tiny: Tiny) -> None:
    result = tiny(SCENARIO, {"processes": 5, "seconds": 1})

    assert result.findings == []
    assert result.checked["effects-once"] > 0
    assert result.figures["descriptors_most"] > 3


def _judged(tiny: Tiny, path: Path, accepted: Sequence[int], handled: Sequence[int]) -> Result:
    result = Result("soak", seed=1)
    with connect(path) as store:
        with store.transaction() as tx:
            tx.execute(tally.TABLE)
            tx.execute(tally.BEGIN)
            for id in handled:
                tally.count(tx, id)
        judge(tiny.run(result), store, reduce(tally.Tally.plus, map(tally.one, accepted)))
    return result


@pytest.mark.parametrize(
    "handled", [(1, 2, 3), (1, 2, 3, 4, 4), (1, 2, 2, 4), (2, 2, 3, 3)], ids=str
)
def test_lost_and_doubled_messages_do_not_cancel_out(
    tmp_path: Path, tiny: Tiny, handled: tuple[int, ...]
) -> None:
    result = _judged(tiny, tmp_path / "store.db", (1, 2, 3, 4), handled)

    assert [found.invariant for found in result.findings] == ["effects-once"]


def test_ids_of_any_order_and_of_a_long_run_are_counted_exactly(tmp_path: Path, tiny: Tiny) -> None:
    ids = [*range(1, 20), *range(2**31 - 20, 2**31)]

    result = _judged(tiny, tmp_path / "store.db", ids, ids[::-1])

    assert result.findings == []
    assert result.checked["effects-once"] == len(ids)


def _usage(tmp_path: Path) -> Usage:
    connect(tmp_path / "store.db").close()
    return Usage(tmp_path / "store.db", lambda: [("this", os.getpid())])


def test_descriptors_that_are_left_open_are_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: Tiny
) -> None:
    monkeypatch.setattr(usage, "MOST_DESCRIPTORS", 10_000)
    found, use, opened = Result("soak", seed=1), _usage(tmp_path), []
    for _ in range(30):
        opened.append(os.open(tmp_path, os.O_RDONLY))
        use.sample()
    for fd in opened:
        os.close(fd)

    use.judge(tiny.run(found))

    assert [finding.invariant for finding in found.findings] == ["bounded"]
    assert "descriptors" in found.findings[0].what


def test_what_stays_as_it_is_is_within_its_bounds(tmp_path: Path, tiny: Tiny) -> None:
    connect(tmp_path / "store.db").close()
    found = Result("soak", seed=1)
    # Other tests of this process may have left many descriptors to its collector.
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        use = Usage(tmp_path / "store.db", lambda: [("other", other.pid)])
        for _ in range(9):
            use.sample()
        other.kill()

    use.judge(tiny.run(found))

    assert found.findings == []
