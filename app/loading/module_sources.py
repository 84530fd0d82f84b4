"""The source code of an app's modules as it was when they were loaded.

An app that cannot be shared by fork is imported again in each process, and an app process that
was killed is replaced by one that imports the app again. Both import from these copies, so a
file that has been broken or deleted since does not matter.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import os
import pickle
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.readers import FileReader
from types import ModuleType
from typing import cast

_OWN = __name__.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Source:
    """A module's file."""

    path: str
    is_package: bool
    text: bytes


class Sources(importlib.abc.MetaPathFinder):
    """An import finder for these modules."""

    def __init__(self, modules: dict[str, Source]) -> None:
        self.modules = modules

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        source = self.modules.get(fullname)
        if source is None:
            return None
        spec = importlib.util.spec_from_file_location(
            fullname,
            source.path,
            loader=_Loader(source),
            submodule_search_locations=[os.path.dirname(source.path)]
            if source.is_package
            else None,
        )
        return spec

    def name_of(self, path: str) -> str | None:
        """Return the name of the module that a file was loaded as."""
        return next((name for name, each in self.modules.items() if each.path == path), None)


class _Loader(importlib.abc.SourceLoader):
    def __init__(self, source: Source) -> None:
        self._source = source
        self.path = source.path

    def get_filename(self, fullname: str) -> str:
        return self._source.path

    def get_resource_reader(self, _fullname: str) -> FileReader:
        # What lies beside the module is read from there; of a loader it asks for the path alone.
        return FileReader(cast("importlib.machinery.SourceFileLoader", self))

    def get_data(self, path: str | bytes) -> bytes:
        if path != self._source.path:
            raise OSError("only the source code was kept")  # no compiled file is
        return self._source.text


# The copies that this process imports from.
kept = Sources({})


def taken() -> bytes:
    """Return the source code of this process's modules, without installed packages.

    Copies that this process imports from are passed on, because their files may have changed.
    """
    installed = {
        sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")
    }
    roots = tuple(f"{os.path.realpath(root)}/" for root in installed if root)
    found = {}
    for name, module in list(sys.modules.items()):
        path = getattr(module, "__file__", None)
        if not isinstance(path, str) or not path.endswith(".py") or name.startswith("__"):
            continue
        if name.partition(".")[0] == _OWN or os.path.realpath(path).startswith(roots):
            continue
        with_path = hasattr(module, "__path__")
        try:
            with open(path, "rb") as file:
                found[name] = Source(path, with_path, file.read())
        except OSError:
            continue
    return pickle.dumps({**found, **kept.modules})


def keep(fd: int) -> None:
    """Import from these copies from now on; the descriptor is closed."""
    # Other processes read the same file, so its offset must not move.
    data = os.pread(fd, os.fstat(fd).st_size, 0)
    os.close(fd)
    kept.modules = pickle.loads(data)  # noqa: S301 - written by a process of this pool
    sys.meta_path.insert(0, kept)
