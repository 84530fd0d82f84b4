"""Namespaces of keyed state: recorded options and sizes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from ...engine.keyed import Options, Space
from ...errors import InvalidInput
from ...types.keyed.entry import Namespace
from ..session.session import Session, Write

# So many rows one call deletes beside what it was asked to do.
PRUNE = 1024

_COLUMNS = """
select n.id, n.entries, n.max_entries, n.ttl_ms, n.overflow, o.entries, o.max_entries,
  n.owner, n.name
from fp_namespace as n
cross join fp_owner as o on o.name = n.owner
"""

_FIND = _COLUMNS + "where n.owner = :owner and n.name = :name"

_LIST = _COLUMNS + "order by n.owner, n.name limit :limit"

_ADD_OWNER = "insert into fp_owner (name) values (:owner) on conflict (name) do nothing"

_ADD = "insert into fp_namespace (owner, name, overflow) values (:owner, :name, 'evict')"

_SET = """
update fp_namespace
set max_entries = :max_entries, ttl_ms = :ttl_ms, overflow = :overflow
where id = :id
"""

_SET_OWNER = "update fp_owner set max_entries = :owner_max_entries where name = :owner"

_COUNT = "update fp_namespace set entries = entries + :change where id = :id"

_COUNT_OWNER = "update fp_owner set entries = entries + :change where name = :owner"

_PRUNE = """
delete from fp_entry
where id in (
  select id
  from fp_entry
  where namespace = :id and expires_at_ms <= :now
  order by expires_at_ms
  limit :limit
)
"""

# Here a cross join is an order: namespaces first, because the index on expiry begins with them.
_EXPIRED = """
select e.id, n.id, n.owner
from fp_namespace as n
cross join fp_entry as e on e.namespace = n.id and e.expires_at_ms <= :now
order by n.id
limit :limit
"""

_EXPIRED_OF_OWNER = """
select e.id, n.id, n.owner
from fp_namespace as n
cross join fp_entry as e on e.namespace = n.id and e.expires_at_ms <= :now
where n.owner = :owner
limit :limit
"""

_DELETE = "delete from fp_entry where id in (select value from json_each(:ids))"


@dataclass(frozen=True, slots=True)
class Record:
    """A namespace as it stands in its row and its owner's."""

    id: int
    entries: int
    max_entries: int | None
    ttl_ms: int | None
    overflow: str
    owner_entries: int
    owner_max_entries: int | None
    owner: str
    name: str


def find(at: Write | Session, space: Space) -> Record | None:
    """Return a namespace, None when nothing was ever recorded of it."""
    read = at.read if isinstance(at, Session) else at.run
    rows = read(_FIND, {"owner": space.owner, "name": space.name})
    return Record(*rows[0]) if rows else None


def agrees(record: Record, options: Options) -> bool:
    """True when the options that were given are those recorded."""
    return not _differing(record, options)


def ensure(write: Write, space: Space) -> Record:
    """Return a namespace with the options asked for, made where there was none.

    Options can change while nothing is stored that was written under the old ones.

    Raises:
        InvalidInput: Others are recorded, and there are entries.
    """
    record = find(write, space)
    if record is None:
        write.run(_ADD_OWNER, {"owner": space.owner})
        write.run(_ADD, {"owner": space.owner, "name": space.name})
        record = _again(write, space)
    if not agrees(record, space.options):
        record = _change(write, space, record)
    return record


def count(write: Write, record: Record, change: int) -> None:
    """Note that the namespace has `change` rows more than it had."""
    _count(write, record.id, record.owner, change)


def prune(write: Write, record: Record) -> int:
    """Delete expired rows, those first that expired first; the caller counts them."""
    return write.change(_PRUNE, {"id": record.id, "now": write.now_ms, "limit": PRUNE})


def sweep(write: Write, limit: int) -> int:
    """Delete at most `limit` expired rows of any namespace; return how many there were."""
    return _remove(write, write.run(_EXPIRED, {"now": write.now_ms, "limit": limit}))


def sweep_owner(write: Write, owner: str) -> int:
    """Delete expired rows of all namespaces of an owner, a bounded number."""
    of_owner = {"owner": owner, "now": write.now_ms, "limit": PRUNE}
    return _remove(write, write.run(_EXPIRED_OF_OWNER, of_owner))


def describe(session: Session, space: Space) -> Namespace | None:
    """Return a namespace as its users see it."""
    record = find(session, space)
    return None if record is None else _public(record)


def listing(session: Session, limit: int) -> list[Namespace]:
    """Return at most `limit` namespaces, by owner and name."""
    return [_public(Record(*row)) for row in session.read(_LIST, {"limit": limit})]


def _again(write: Write, space: Space) -> Record:
    record = find(write, space)
    if record is None:
        raise write.corrupt(f"namespace {space.owner}/{space.name} is not found")
    return record


def _change(write: Write, space: Space, record: Record) -> Record:
    count(write, record, -prune(write, record))
    owner_limit = space.options.owner_max_entries
    if owner_limit is not msgspec.UNSET and owner_limit != record.owner_max_entries:
        sweep_owner(write, space.owner)
    record = _again(write, space)
    for option, recorded, asked in _differing(record, space.options):
        if record.owner_entries if option == "owner_max_entries" else record.entries:
            raise InvalidInput(
                f"{space.owner}/{space.name} has {_say(option, recorded)}, not"
                f" {_say(option, asked)};"
                " it can be changed while there are no entries",
                operation="keyed",
                path=write.path,
            )
    asked_for = {option: asked for option, _, asked in _differing(record, space.options)}
    write.must(
        _SET,
        {
            "id": record.id,
            "max_entries": asked_for.get("max_entries", record.max_entries),
            "ttl_ms": asked_for.get("ttl_ms", record.ttl_ms),
            "overflow": asked_for.get("overflow", record.overflow),
        },
    )
    if "owner_max_entries" in asked_for:
        limit = asked_for["owner_max_entries"]
        write.run(_SET_OWNER, {"owner": space.owner, "owner_max_entries": limit})
    return _again(write, space)


def _differing(record: Record, options: Options) -> list[tuple[str, Any, Any]]:
    """Return the options that are not as recorded: name, recorded, asked for."""
    return [
        (option, recorded, asked)
        for option in ("max_entries", "ttl_ms", "overflow", "owner_max_entries")
        for recorded, asked in [(getattr(record, option), getattr(options, option))]
        if asked is not msgspec.UNSET and asked != recorded
    ]


def _say(option: str, value: Any) -> str:
    if option == "ttl_ms":
        return "ttl None" if value is None else f"ttl {value / 1000:g}"
    return f"{option} {value!r}"


def _remove(write: Write, rows: Iterable[tuple[Any, ...]]) -> int:
    rows = list(rows)
    if rows:
        ids = msgspec.json.encode([row[0] for row in rows]).decode()
        write.must(_DELETE, {"ids": ids}, change=len(rows))  # else the next sweep finds them again
        for (namespace, owner), removed in Counter(row[1:] for row in rows).items():
            _count(write, namespace, owner, -removed)
    return len(rows)


def _count(write: Write, id: int, owner: str, change: int) -> None:
    if change:
        write.must(_COUNT, {"id": id, "change": change})
        write.must(_COUNT_OWNER, {"owner": owner, "change": change})


def _public(record: Record) -> Namespace:
    return Namespace(
        owner=record.owner,
        name=record.name,
        rows=record.entries,
        max_entries=record.max_entries,
        ttl=None if record.ttl_ms is None else record.ttl_ms / 1000,
        overflow="reject" if record.overflow == "reject" else "evict",
        owner_rows=record.owner_entries,
        owner_max_entries=record.owner_max_entries,
    )
