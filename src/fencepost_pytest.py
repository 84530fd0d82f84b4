"""The pytest plugin: fixtures for the tests of an app.

pytest imports this file in every run, of programs that do not use Fencepost too, so it
imports the package only in a test that asks for a fixture.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from fencepost import App, Store
    from fencepost.testing import Clock

_INI = "fencepost_app"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Know the option that says where the app is."""
    parser.addini(
        _INI, "TARGET of the fixture fencepost_app: path.py[:attr] or module:attr", default=""
    )


@pytest.fixture
def fencepost_clock() -> Clock:
    """The clock of `fencepost_store`: it stands still until `advance(seconds)`."""
    from fencepost.testing import Clock

    return Clock()


@pytest.fixture
def fencepost_store(tmp_path: Path, fencepost_clock: Clock) -> Iterator[Store]:
    """An empty store for one test."""
    from fencepost import connect

    with connect(_store_path(tmp_path), durability="normal", clock=fencepost_clock) as store:
        yield store


@pytest.fixture
def fencepost_app(
    request: pytest.FixtureRequest, tmp_path: Path, fencepost_clock: Clock
) -> Iterator[App]:
    """The app that the ini option `fencepost_app` names, on the store of `fencepost_store`."""
    from fencepost.testing.loading import load, moved

    target = str(request.config.getini(_INI))
    if not target:
        raise pytest.UsageError(
            'the fixture fencepost_app needs to know your app: set fencepost_app = "hooks.py:app" '
            "in pytest's configuration, or define a fixture fencepost_app of your own"
        )
    app = moved(load(target, request.config.rootpath), _store_path(tmp_path), fencepost_clock)
    yield app
    app.close()


def _store_path(folder: Path) -> Path:
    return folder / "fencepost.db"
