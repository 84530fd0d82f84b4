"""What the tests of the harness start from."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _tests_can_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let spawned children find functions of these tests by their modules' names."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2])
