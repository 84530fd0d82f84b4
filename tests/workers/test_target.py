"""TARGET: how an app is found."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fencepost import InvalidInput
from fencepost.app import Target


@pytest.fixture(autouse=True)
def _imports_undone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = set(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_a_file_is_imported_under_its_own_name_for_those_beside_it(tmp_path: Path) -> None:
    (tmp_path / "shop_hooks.py").write_text("handlers = []\nimport shop_handlers\n")
    (tmp_path / "shop_handlers.py").write_text(
        "from shop_hooks import handlers\nhandlers.append('ship')\n"
    )

    loaded = Target(f"{tmp_path}/shop_hooks.py:handlers")()

    assert loaded == ["ship"]


@pytest.mark.parametrize("name", ["json", "click", "queue"])
def test_a_file_named_like_a_library_takes_nobodys_place(tmp_path: Path, name: str) -> None:
    before = sys.modules.get(name)
    (tmp_path / f"{name}.py").write_text("app = 'the app'\n")

    loaded = Target(str(tmp_path / f"{name}.py"))()

    assert loaded == "the app"
    assert sys.modules.get(name) is before


@pytest.mark.parametrize("text", ["", ":", "x.py:", ":app", "x.py:a b", "x.py:1"])
def test_what_is_no_target_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        Target(text)()
