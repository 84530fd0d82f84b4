"""The scenario in which dead workers' pids come again."""

from __future__ import annotations

import pytest

from fencepost.stress.scenarios import pids

from .tiny import Tiny


def test_a_small_run_finds_nothing(tiny: Tiny) -> None:
    result = tiny(pids.SCENARIO, {"reuses": 3})

    if result.skipped:
        pytest.skip(result.skipped)
    assert result.findings == []
    assert result.faults == {"pid given to another": 3}
