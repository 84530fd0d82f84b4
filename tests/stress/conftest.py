"""What the tests of the harness start from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fencepost.stress.harness.forkserver import Forkserver

from .tiny import Tiny


@pytest.fixture(autouse=True, scope="session")
def _tests_can_be_imported() -> Iterator[None]:
    """Let processes find functions of these tests by their modules' names."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[2])
        yield


@pytest.fixture(scope="session")
def forkserver(_tests_can_be_imported: None) -> Iterator[Forkserver]:
    with Forkserver.begin() as begun:
        yield begun


@pytest.fixture
def tiny(tmp_path: Path, forkserver: Forkserver) -> Tiny:
    return Tiny(tmp_path, forkserver)
