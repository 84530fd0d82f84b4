"""Quarantine of entries that cannot be read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ...engine.keyed import Space
from ...errors import StoreCorrupt
from ...types.content.json_value import decode
from ...types.keyed.entry import Entry, Quarantined
from ..session.session import Session, Write
from . import namespaces

_DELETE = """
delete from fp_entry
where id = :id and cast(key as blob) = :key and cast(value as blob) = :value
returning id
"""

_KEEP = """
insert into fp_quarantine (place, value, why, found_at_ms)
values (:place, :value, :why, :now)
"""

_LIST = """
select id, place, why, found_at_ms
from fp_quarantine
order by id desc
limit :limit
"""


class Stored(NamedTuple):
    """An entry's row. Key and value are bytes: text that is damaged cannot be read as text."""

    id: int
    key: bytes
    value: bytes
    created_at_ms: int
    expires_at_ms: int | None


class Damaged(NamedTuple):
    """A row that cannot be read, and why."""

    row: Stored
    why: str

    def error(self, space: Space, operation: str, path: str) -> StoreCorrupt:
        """Return what its reader is told."""
        return StoreCorrupt(
            f"{path}: {_place(space, self.row)} is damaged and set aside: {self.why}",
            operation=operation,
            path=path,
        )


def read(row: tuple[Any, ...]) -> Entry | Damaged:
    """Return what a row holds."""
    stored = Stored(*row)
    try:
        expires = stored.expires_at_ms
        return Entry(
            key=stored.key.decode(),
            value=decode(stored.value),
            created_at=stored.created_at_ms / 1000,
            expires_at=None if expires is None else expires / 1000,
        )
    except ValueError as error:
        return Damaged(stored, str(error))


def set_aside(write: Write, space: Space, damaged: Sequence[Damaged]) -> None:
    """Move damaged rows to quarantine, those that are still as they were found."""
    record = namespaces.find(write, space)
    if record is None:
        return
    moved = [
        found
        for found in damaged
        if write.run(_DELETE, {"id": found.row.id, "key": found.row.key, "value": found.row.value})
    ]
    for found in moved:
        keep(write, space, found)
    namespaces.count(write, record, -len(moved))


def keep(write: Write, space: Space, damaged: Damaged) -> None:
    """Put in quarantine what was deleted in this transaction."""
    write.run(
        _KEEP,
        {
            "place": _place(space, damaged.row),
            "value": damaged.row.value,
            "why": damaged.why,
            "now": write.now_ms,
        },
    )


def quarantined(session: Session, limit: int) -> list[Quarantined]:
    """Return at most `limit` things that were set aside, newest first."""
    return [
        Quarantined(id, place, why, found_at_ms / 1000)
        for id, place, why, found_at_ms in session.read(_LIST, {"limit": limit})
    ]


def _place(space: Space, row: Stored) -> str:
    key = row.key.decode(errors="backslashreplace")
    return f"fp_entry {row.id}, {space.owner}/{space.name} {key!r}"
