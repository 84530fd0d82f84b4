"""Entries of keyed state: written within their caps, read while they are live.

Rows, expired ones included, never outnumber a cap. So a write frees what has expired
before it evicts, and evicts before it inserts: what it inserts is never what it evicts.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ...engine.keyed import Item, Space
from ...errors import LimitExceeded
from ...rules.caps import is_full
from ...types.keyed.entry import Entry
from ..session.session import Session, Write
from . import namespaces
from .namespaces import PRUNE, Record
from .quarantine import Damaged, keep, read

_EXISTING = """
select id, expires_at_ms
from fp_entry
where namespace = :namespace and key = :key
"""

_RENEW = """
update fp_entry
set value = :value, created_at_ms = :now, expires_at_ms = :expires
where id = :id
"""

_INSERT = """
insert into fp_entry (namespace, key, value, created_at_ms, expires_at_ms)
values (:namespace, :key, :value, :now, :expires)
"""

_EVICT = """
delete from fp_entry
where id = (
  select id
  from fp_entry
  where namespace = :namespace
  order by created_at_ms, key
  limit 1
)
"""

_REMOVE = """
delete from fp_entry
where namespace = :namespace and key = :key
returning id, cast(key as blob), cast(value as blob), created_at_ms, expires_at_ms
"""

_ROWS = """
select e.id, cast(e.key as blob), cast(e.value as blob), e.created_at_ms, e.expires_at_ms
from fp_namespace as n
cross join fp_entry as e on e.namespace = n.id
where n.owner = :owner and n.name = :name
  and (e.expires_at_ms is null or e.expires_at_ms > :now)
"""

_OLDEST = _ROWS + "order by e.created_at_ms, e.key limit :limit"

# To SQLite every blob comes after every text: an empty one is an end that none reaches.
_BETWEEN = _ROWS + "and e.key >= :start and e.key < :end "
_UPWARDS = _BETWEEN + "order by e.key limit :limit"
_DOWNWARDS = _BETWEEN + "order by e.key desc limit :limit"
_NO_END = b""

_KEYS = """
select e.id, cast(e.key as blob), cast(e.value as blob), e.created_at_ms, e.expires_at_ms
from fp_namespace as n
cross join json_each(:keys) as k
cross join fp_entry as e on e.namespace = n.id and e.key = k.value
where n.owner = :owner and n.name = :name
  and (e.expires_at_ms is null or e.expires_at_ms > :now)
"""

_LIVE = """
select n.entries - (
  select count(*) from fp_entry as e where e.namespace = n.id and e.expires_at_ms <= :now
)
from fp_namespace as n
where n.owner = :owner and n.name = :name
"""

_LAST = "select max(id) from fp_entry"

_CLEAR = """
delete from fp_entry
where id in (
  select id
  from fp_entry
  where namespace = :namespace and id <= :last
  limit :limit
)
"""


def put(write: Write, space: Space, item: Item, operation: str, *, replace: bool = True) -> bool:
    """Write an entry; False when its key holds a live one that must not be replaced.

    Raises:
        LimitExceeded: There is no room and nothing to evict; let it roll all back.
    """
    record = namespaces.ensure(write, space)
    freed = namespaces.prune(write, record)
    ttl = record.ttl_ms if item.ttl_ms is None else item.ttl_ms
    values = {
        "namespace": record.id,
        "key": item.key,
        "value": item.value,
        "now": write.now_ms,
        "expires": None if ttl is None else write.now_ms + ttl,
    }
    existing = write.run(_EXISTING, values)
    if existing:
        ((id, expires),) = existing
        expired = expires is not None and expires <= write.now_ms
        if replace or expired:
            write.must(_RENEW, {**values, "id": id})
        namespaces.count(write, record, -freed)
        return replace or expired
    freed += _make_room(write, record, freed, operation)
    write.run(_INSERT, values)
    namespaces.count(write, record, 1 - freed)
    return True


def take(write: Write, space: Space, key: str) -> Entry | Damaged | None:
    """Delete an entry and return it, None when there was no live one."""
    found = _remove(write, space, key)
    if found is None or (found[4] is not None and found[4] <= write.now_ms):
        return None
    entry = read(found)
    if isinstance(entry, Damaged):
        keep(write, space, entry)
    return entry


def delete(write: Write, space: Space, key: str) -> bool:
    """Delete an entry, expired or not; False when there was none."""
    return _remove(write, space, key) is not None


def oldest(session: Session, space: Space, limit: int | None) -> list[Entry | Damaged]:
    """Return live entries, oldest first, then by key."""
    return _read(session, _OLDEST, space, limit=-1 if limit is None else limit)


def between(
    session: Session,
    space: Space,
    start: str,
    end: str | None,
    *,
    limit: int | None,
    descending: bool,
) -> list[Entry | Damaged]:
    """Return live entries by key."""
    return _read(
        session,
        _DOWNWARDS if descending else _UPWARDS,
        space,
        start=start,
        end=_NO_END if end is None else end,
        limit=-1 if limit is None else limit,
    )


def find(session: Session, space: Space, keys: Sequence[str]) -> list[Entry | Damaged | None]:
    """Return what the keys hold, in their order."""
    wanted = json.dumps(sorted(set(keys)))
    held = {
        found.key if isinstance(found, Entry) else found.row.key.decode(): found
        for found in _read(session, _KEYS, space, keys=wanted)
    }
    return [held.get(key) for key in keys]


def live(session: Session, space: Space) -> int:
    """Count live entries: all rows less those that have expired and are not yet swept."""
    rows = session.read(_LIVE, {"owner": space.owner, "name": space.name, "now": session.now_ms()})
    return int(rows[0][0]) if rows else 0


def last_id(session: Session) -> int:
    """Return a number that every entry stored from now on will exceed."""
    ((last,),) = session.read(_LAST)
    return last or 0


def clear(write: Write, space: Space, last: int) -> int:
    """Delete some of the entries up to `last`; return how many, fewer than PRUNE at the end."""
    record = namespaces.find(write, space)
    if record is None:
        return 0
    removed = write.change(_CLEAR, {"namespace": record.id, "last": last, "limit": PRUNE})
    namespaces.count(write, record, -removed)
    return removed


def _make_room(write: Write, record: Record, freed: int, operation: str) -> int:
    """Evict the oldest row when there is no room for one more; return how many went."""
    full = is_full(record.max_entries, record.entries - freed)
    if full and record.overflow == "reject":
        raise no_room(write, record, operation)
    left = record.owner_entries - freed
    crowded = is_full(record.owner_max_entries, left)
    if crowded:
        # What has expired in other namespaces goes before what is live in this one. The
        # rows freed above are gone, though not yet counted: they cannot be swept twice.
        left -= namespaces.sweep_owner(write, record.owner)
        crowded = is_full(record.owner_max_entries, left)
    if not (full or crowded):
        return 0
    evicted = 0
    if record.overflow == "evict":
        evicted = write.change(_EVICT, {"namespace": record.id})
    if not evicted:
        raise no_room(write, record, operation)
    return evicted


def no_room(write: Write, record: Record, operation: str) -> LimitExceeded:
    """Return the error for a namespace, or an owner, that has no room."""
    limits = f"max_entries {record.max_entries}, owner_max_entries {record.owner_max_entries}"
    return LimitExceeded(
        f"{record.owner}/{record.name} is full ({limits})", operation=operation, path=write.path
    )


def _remove(write: Write, space: Space, key: str) -> tuple[Any, ...] | None:
    record = namespaces.find(write, space)
    if record is None:
        return None
    found = write.run(_REMOVE, {"namespace": record.id, "key": key})
    freed = namespaces.prune(write, record)
    namespaces.count(write, record, -len(found) - freed)
    return found[0] if found else None


def _read(session: Session, sql: str, space: Space, **values: object) -> list[Entry | Damaged]:
    at = {"owner": space.owner, "name": space.name, "now": session.now_ms()}
    return [read(row) for row in session.read(sql, {**at, **values})]
