"""What only tests of the SQLite engine are given."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fencepost.stress.sqlite.disk.disk import Disk
from fencepost.stress.sqlite.disk.disk import disk as fail_when_told


@pytest.fixture
def disk() -> Iterator[Disk]:
    """Where all databases lie that a test opens; it fails when told to."""
    with fail_when_told() as here:
        yield here
