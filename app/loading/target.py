"""TARGET: loading an app from `module:attr` or `path.py[:attr]`."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from ...store.errors import InvalidInput
from ..app import App
from . import module_sources

# Files that are not the user's own code: Python's and this package's.
_NOT_THEIRS = (
    "<frozen",
    os.__file__,
    importlib.__file__,
    f"{Path(__file__).parent.parent.parent}{os.sep}",
)
_OS = (Path(os.__file__).name, "<frozen os>")


@dataclass(frozen=True, slots=True)
class Target:
    """A TARGET. Any process can load it by calling it."""

    text: str

    def __call__(self) -> Any:
        """Import the module and return what stands there.

        Raises:
            InvalidInput: The module or the attribute does not exist, or the code raised.
        """
        place, attribute = self._split()
        try:
            module = _from_file(place) if place.endswith(".py") else _from_name(place)
        except Exception as error:
            raise InvalidInput(f"cannot load {self.text}: {_describe(error)}") from error
        except SystemExit as error:
            raise InvalidInput(f"cannot load {self.text}: it calls exit()") from error
        if not hasattr(module, attribute):
            raise InvalidInput(f"cannot load {self.text}: {place} has no {attribute!r}")
        return getattr(module, attribute)

    def app(self) -> App:
        """Import the module and return the app; its store is not opened.

        Raises:
            InvalidInput: There is no app, or its code raised.
        """
        found = self()
        if not isinstance(found, App):
            raise InvalidInput(f"{self.text} is a {type(found).__name__}, not a fencepost.App")
        return found

    @property
    def folder(self) -> str:
        """The folder of the app's files: that of path.py, or the current one."""
        place, _ = self._split()
        return str(Path(place).resolve().parent if place.endswith(".py") else Path.cwd())

    def _split(self) -> tuple[str, str]:
        place, colon, attribute = self.text.rpartition(":")
        if not colon:
            place, attribute = self.text, "app"
        if not place or not attribute.isidentifier():
            raise InvalidInput(f"{self.text!r} is neither module:attr nor path.py[:attr]")
        return place, attribute


def _from_file(place: str) -> ModuleType:
    path = Path(place).resolve()
    if (kept := module_sources.kept.name_of(str(path))) is not None:
        return importlib.import_module(kept)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {place}")
    name = _name_for(path)
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))  # as `python path.py` does
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _name_for(path: Path) -> str:
    """Return the file's own name, so that files beside it can import it, unless it is taken."""
    if path.stem.isidentifier():
        known = importlib.util.find_spec(path.stem)
        if known is None or known.origin == str(path):
            return path.stem
    return f"fencepost_target_{path.stem}"


def _from_name(place: str) -> ModuleType:
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))  # as `python -m` does
    return importlib.import_module(place)


def _describe(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    what = f"{type(error).__name__}: {error}"
    if isinstance(error, KeyError) and frames and Path(frames[-1].filename).name in _OS:
        what = f"the environment variable {error.args[0]} is not set"
    where = ""
    theirs = [frame for frame in frames if not frame.filename.startswith(_NOT_THEIRS)]
    if theirs and not isinstance(error, SyntaxError):
        where = f" ({Path(theirs[-1].filename).name}, line {theirs[-1].lineno})"
    return f"{what}{where}".replace("\n", " ")
