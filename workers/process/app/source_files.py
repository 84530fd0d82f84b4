"""The Python files of an app, checked twice a second for changes during development."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

LOOK_SECONDS = 0.5

# Installed packages are not edited.
_SKIPPED = {"__pycache__", "node_modules", "site-packages"}
_MOST_FILES = 5_000

_Seen = dict[str, tuple[int, int]]


class SourceFiles:
    """All Python files below a folder, except in hidden folders and virtual environments."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._seen = self._look()
        self._pending: _Seen | None = None
        self._due = time.monotonic() + LOOK_SECONDS

    def changed(self) -> bool:
        """True once after a change, when nothing has changed for another half second.

        Until then an editor or a version control system may still be writing.
        """
        if time.monotonic() < self._due:
            return False
        self._due = time.monotonic() + LOOK_SECONDS
        now = self._look()
        if now == self._seen:
            self._pending = None
        elif now == self._pending:
            self._seen, self._pending = now, None
            return True
        else:
            self._pending = now
        return False

    def _look(self) -> _Seen:
        found: _Seen = {}
        for entry in _python_files(self._folder):
            try:
                status = entry.stat()
            except OSError:
                continue  # it has just been deleted
            found[entry.path] = status.st_mtime_ns, status.st_size
            if len(found) >= _MOST_FILES:
                break
        return found


def _python_files(folder: str) -> Iterator[os.DirEntry[str]]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    if any(entry.name == "pyvenv.cfg" for entry in entries):
        return
    for entry in entries:
        if entry.name.startswith(".") or entry.name in _SKIPPED:
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _python_files(entry.path)
        elif entry.name.endswith(".py"):
            yield entry
