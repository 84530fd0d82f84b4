"""How large folders and files are; the root's folders, the wheel's map and the links agree."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

from .root import ROOT

MOST_MODULES = 15
MOST_LINES = 300


def _build() -> dict[str, Any]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    build: dict[str, Any] = project["tool"]["hatch"]["build"]
    return build


def _mapped() -> set[str]:
    """Return the folders at the root that are the package."""
    return {name for name in _build()["targets"]["wheel"]["sources"] if "/" not in name}


def _modules() -> list[Path]:
    """Return all Python files but the tests."""
    folders = [ROOT / name for name in (*_mapped(), "src", "bench", "examples")]
    return [path for folder in folders for path in folder.rglob("*.py")]


def test_a_folder_has_at_most_fifteen_modules() -> None:
    modules = Counter(path.parent.relative_to(ROOT).as_posix() for path in _modules())

    assert {folder: number for folder, number in modules.items() if number > MOST_MODULES} == {}


def test_a_file_has_at_most_three_hundred_lines() -> None:
    lines = {path.relative_to(ROOT).as_posix(): _lines(path) for path in _modules()}

    assert {path: number for path, number in lines.items() if number > MOST_LINES} == {}


def _lines(path: Path) -> int:
    return len(path.read_text().splitlines())


def test_each_mapped_folder_is_linked_from_the_front_door() -> None:
    build, mapped = _build(), _mapped()
    front = ROOT / "src/fencepost"

    linked = {path.name for path in front.iterdir() if path.is_symlink()}

    assert linked == mapped
    assert mapped < set(build["only-include"]) & set(build["targets"]["sdist"]["only-include"])
    assert all((front / name).resolve() == ROOT / name for name in linked)


# TESTING-12
def test_the_pytest_plugin_is_filed_beside_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    targets = project["tool"]["hatch"]["build"]["targets"]
    (plugin,) = project["project"]["entry-points"]["pytest11"].values()

    source = f"src/{plugin}.py"
    assert targets["wheel"]["force-include"] == {source: f"{plugin}.py"}
    assert source in targets["sdist"]["only-include"]
    assert (ROOT / source).is_file()


def test_every_module_imports_away_from_the_checkout(tmp_path: Path) -> None:
    """A module that says `import store` would find it only beside pyproject.toml."""
    code = (
        "import pkgutil, importlib, fencepost\n"
        "for m in pkgutil.walk_packages(fencepost.__path__, 'fencepost.'):\n"
        "    m.name.endswith('__main__') or importlib.import_module(m.name)\n"
    )

    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
