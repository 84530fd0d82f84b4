"""The folders at the root, the wheel's map and the links must say the same thing."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_each_mapped_folder_is_linked_from_the_front_door() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    mapped = {name for name in build["targets"]["wheel"]["sources"] if "/" not in name}
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
