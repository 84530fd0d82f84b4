"""A folder with an app, and workers of it that can be killed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fencepost import Store, connect

from ..processes import fencepost, running


@dataclass(frozen=True)
class Place:
    """A folder with an app in `app.py` and its store.

    Attributes:
        store: An opening of the store.
    """

    folder: Path
    store: Store

    def lines(self, name: str) -> list[str]:
        """Return the lines of a file that handlers append to; none without it."""
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []

    def drain(self, *options: str) -> None:
        """Run a pool until nothing is left."""
        with running(fencepost("work", "app.py", "--drain", *options), cwd=self.folder) as pool:
            assert pool.wait(60) == 0


@pytest.fixture
def place(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Place]:
    """Make the folder with the app that the test's module has in APP."""
    (tmp_path / "app.py").write_text(request.module.APP)
    with connect(tmp_path / "hooks.db") as store:
        yield Place(tmp_path, store)
