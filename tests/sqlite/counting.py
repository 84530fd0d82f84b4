"""Counters held against what there is to count."""

from __future__ import annotations

from pathlib import Path

from .inside import ask

_NAMESPACES = """
select id, entries, (select count(*) from fp_entry where namespace = n.id)
from fp_namespace as n
"""

_OWNERS = """
select name, entries, (select sum(n.entries) from fp_namespace as n where n.owner = o.name)
from fp_owner as o
"""


def counted_right(path: str | Path) -> None:
    """Fail unless every namespace and owner has the number of rows that it says."""
    for name, entries, counted in ask(path, _NAMESPACES) + ask(path, _OWNERS):
        assert entries == counted, name
