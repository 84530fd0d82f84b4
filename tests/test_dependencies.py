"""What the package imports is what its installation brings."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

from .root import ROOT

# uvicorn imports these when it is asked to, and zoneinfo this where the system has no zones.
BY_NAME = {"httptools", "uvloop", "tzdata"}


def test_what_is_imported_is_a_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"].values()
    wanted = [*project["project"]["dependencies"], *(each for extra in extras for each in extra)]
    folders = [
        name
        for name in project["tool"]["hatch"]["build"]["targets"]["wheel"]["sources"]
        if "/" not in name
    ]

    imported = {name for folder in folders for name in _imported(ROOT / folder)}

    declared = {re.split(r"[^A-Za-z0-9_]", each)[0] for each in wanted}
    assert imported - sys.stdlib_module_names - {"fencepost"} == declared - BY_NAME


def _imported(folder: Path) -> set[str]:
    found = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {each.name.partition(".")[0] for each in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                found.add(node.module.partition(".")[0])
    return found
