"""Namespaces of keyed state: their options, and entries within their caps.

Rows, expired ones included, never outnumber a cap. So a write frees what has expired before
it evicts, and evicts before it inserts.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ..engine.keyed import Item, Space
from ..errors import InvalidInput, LimitExceeded
from ..types.keyed.entry import Namespace
from .memory import Write
from .rows import EntryRow, SpaceRow
from .tables import Name, Tables


def ensure(write: Write, space: Space) -> Name:
    """Return a namespace that has the options asked for, made where there was none.

    Raises:
        InvalidInput: Others are recorded, and there are entries.
    """
    at, tables = (space.owner, space.name), write.tables
    tables.spaces.setdefault(at, SpaceRow())
    tables.owner_caps.setdefault(space.owner, None)
    tables.entries.setdefault(at, {})
    changed = _differing(tables, space)
    if not changed:
        return at
    free(write, at)
    if "owner_max_entries" in changed:
        _free_owner(write, space.owner)
        if owner_rows(tables, space.owner):
            raise _refused(write, space, "owner_max_entries")
        tables.owner_caps[space.owner] = changed.pop("owner_max_entries")
    for option in changed:
        if tables.entries[at]:
            raise _refused(write, space, option)
    tables.spaces[at] = tables.spaces[at]._replace(**changed)
    return at


def agrees(tables: Tables, space: Space) -> bool:
    """True when the options that were asked for are those recorded."""
    return (space.owner, space.name) in tables.spaces and not _differing(tables, space)


def put(write: Write, space: Space, item: Item, *, replace: bool = True) -> bool:
    """Write an entry; False when its key holds a live one that must not be replaced.

    Raises:
        LimitExceeded: There is no room and nothing to evict.
    """
    at = ensure(write, space)
    free(write, at)
    rows = write.tables.entries[at]
    if item.key in rows and not replace:
        return False
    if item.key not in rows:
        _make_room(write, at)
    ttl = write.tables.spaces[at].ttl_ms if item.ttl_ms is None else item.ttl_ms
    expires = None if ttl is None else write.now + ttl
    write.entries(at)[item.key] = EntryRow(item.value, write.now, expires)
    _note_expiry(write, at, expires)
    return True


def remove(write: Write, at: Name, key: str) -> EntryRow | None:
    """Delete an entry and return it, expired or not."""
    found = write.entries(at).pop(key, None) if at in write.tables.entries else None
    free(write, at)
    return found


def move(write: Write, space: Space, source: str, most: int) -> int:
    """Take over the entries of another namespace; return how many.

    Raises:
        LimitExceeded: They are more than `most`, or than there is room for.
        InvalidInput: One has a time to live.
    """
    tables, origin = write.tables, (space.owner, source)
    if origin not in tables.spaces:
        return 0
    at = ensure(write, space)
    if len(tables.entries[origin]) > most:
        raise LimitExceeded(
            f"{space.owner}/{source} has more than {most} rows", path=write.session.address
        )
    free(write, origin)
    if any(row.expires_ms is not None for row in tables.entries[origin].values()):
        raise InvalidInput(
            f"{space.owner}/{source} has entries with a time to live", path=write.session.address
        )
    free(write, at)
    rows = tables.entries[at]
    new = {key: row for key, row in tables.entries[origin].items() if key not in rows}
    cap = tables.spaces[at].max_entries
    if cap is not None and len(rows) + len(new) > cap:
        raise _full(write, at)
    write.entries(at).update(new)
    write.entries(origin).clear()
    return len(new)


def free(write: Write, at: Name) -> int:
    """Drop the entries of a namespace that have expired; return how many."""
    soonest = write.tables.soonest.pop(at, None)
    if soonest is None:
        return 0
    if soonest > write.now:
        write.tables.soonest[at] = soonest
        return 0
    rows = write.entries(at)
    over = [key for key, row in rows.items() if not row.is_live(write.now)]
    for key in over:
        del rows[key]
    for row in rows.values():
        _note_expiry(write, at, row.expires_ms)
    return len(over)


def sweep(write: Write) -> int:
    """Drop all entries that have expired; return how many."""
    return sum(free(write, at) for at in list(write.tables.entries))


def owner_rows(tables: Tables, owner: str) -> int:
    """Count the rows of all namespaces of an owner."""
    return sum(len(rows) for at, rows in tables.entries.items() if at[0] == owner)


def describe(tables: Tables, at: Name) -> Namespace | None:
    """Return a namespace as its users see it."""
    row = tables.spaces.get(at)
    if row is None:
        return None
    return Namespace(
        owner=at[0],
        name=at[1],
        rows=len(tables.entries[at]),
        max_entries=row.max_entries,
        ttl=None if row.ttl_ms is None else row.ttl_ms / 1000,
        overflow=row.overflow,
        owner_rows=owner_rows(tables, at[0]),
        owner_max_entries=tables.owner_caps[at[0]],
    )


def _note_expiry(write: Write, at: Name, expires: int | None) -> None:
    if expires is not None:
        write.tables.soonest[at] = min(expires, write.tables.soonest.get(at, expires))


def _differing(tables: Tables, space: Space) -> dict[str, Any]:
    """Return the options asked for that are not as recorded."""
    recorded = _recorded(tables, space)
    asked = {name: getattr(space.options, name) for name in recorded}
    return {
        name: value
        for name, value in asked.items()
        if value is not msgspec.UNSET and value != recorded[name]
    }


def _recorded(tables: Tables, space: Space) -> dict[str, object]:
    options = tables.spaces[space.owner, space.name]._asdict()
    return {**options, "owner_max_entries": tables.owner_caps[space.owner]}


def _make_room(write: Write, at: Name) -> None:
    """Evict the oldest entry when there is no room for one more."""
    space, owner_cap = write.tables.spaces[at], write.tables.owner_caps[at[0]]
    full = space.max_entries is not None and len(write.tables.entries[at]) >= space.max_entries
    if full and space.overflow == "reject":
        raise _full(write, at)
    crowded = owner_cap is not None and owner_rows(write.tables, at[0]) >= owner_cap
    if crowded:  # what has expired elsewhere goes before what is live here
        _free_owner(write, at[0])
        crowded = owner_rows(write.tables, at[0]) >= (owner_cap or 0)
    if not (full or crowded):
        return
    rows = write.tables.entries[at]
    if space.overflow == "reject" or not rows:
        raise _full(write, at)
    oldest = min(rows, key=lambda key: (rows[key].created_ms, key))
    del write.entries(at)[oldest]


def _free_owner(write: Write, owner: str) -> None:
    for at in list(write.tables.entries):
        if at[0] == owner:
            free(write, at)


def _full(write: Write, at: Name) -> LimitExceeded:
    return LimitExceeded(f"{at[0]}/{at[1]} is full", path=write.session.address)


def _refused(write: Write, space: Space, option: str) -> InvalidInput:
    recorded = _recorded(write.tables, space)[option]
    asked = getattr(space.options, option)
    return InvalidInput(
        f"{space.owner}/{space.name} has {_say(option, recorded)}, not {_say(option, asked)};"
        " it can be changed while there are no entries",
        operation="keyed",
        path=write.session.address,
    )


def _say(option: str, value: object) -> str:
    if option == "ttl_ms":
        return f"ttl {value / 1000:g}" if isinstance(value, int) else "ttl None"
    return f"{option} {value!r}"
