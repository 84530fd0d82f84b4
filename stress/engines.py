"""The engines that stress knows, each with a folder for what is its own.

This table is the only place that names them. Scenarios, faults and the census that only one
engine has are found through it.
"""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from types import ModuleType
from typing import Protocol, TypeVar

# By the scheme of a store's URL.
_FOLDERS = {"sqlite": "sqlite"}
_OF_A_PATH = "sqlite"


class _Named(Protocol):
    @property
    def name(self) -> str: ...


_T = TypeVar("_T", bound=_Named)


def found(folder: str, kind: type[_T]) -> dict[str, _T]:
    """Return what the modules under a folder hold of a kind, by name, with every engine's own.

    Raises:
        ValueError: Two have the same name.
    """
    by_name: dict[str, _T] = {}
    for home in (folder, *(f"{engine}.{folder}" for engine in _FOLDERS.values())):
        package = importlib.import_module(f"{__package__}.{home}")
        for _, name, _ in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            for each in vars(importlib.import_module(name)).values():
                if isinstance(each, kind) and by_name.setdefault(each.name, each) is not each:
                    raise ValueError(f"{each.name!r} stands twice in {folder}")
    return by_name


def module(address: str | Path, name: str) -> ModuleType:
    """Return the module of that name that belongs to the engine of a store's address."""
    scheme, separator, _ = str(address).partition("://")
    folder = _FOLDERS[scheme if separator else _OF_A_PATH]
    return importlib.import_module(f"{__package__}.{folder}.{name}")
