"""Which SQLite is in use."""

from __future__ import annotations

import apsw


def version() -> str:
    """Return its version."""
    return apsw.sqlite_lib_version()
