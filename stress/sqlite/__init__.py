"""What of the harness knows SQLite: independent connections, file systems that fail."""

from __future__ import annotations

import apsw


def version() -> str:
    """Return the version of the SQLite in use."""
    return apsw.sqlite_lib_version()
