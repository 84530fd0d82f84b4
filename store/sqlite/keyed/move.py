"""Moving the entries of one namespace into another of the same owner."""

from __future__ import annotations

from ...engine.keyed import Space
from ...errors import InvalidInput, LimitExceeded
from ..session.session import Write
from . import namespaces
from .entries import no_room

_EXPIRE_ALL = "delete from fp_entry where namespace = :namespace and expires_at_ms <= :now"

_ANY_WITH_TTL = """
select 1
from fp_entry
where namespace = :namespace and expires_at_ms > :now
limit 1
"""

# Of the keys of another namespace: what is here and has expired, what is there and live here.
# By key, because there may be more that has expired than there are keys.
_EXPIRED_HERE = """
delete from fp_entry indexed by fp_entry_key
where namespace = :namespace and expires_at_ms <= :now
  and key in (select key from fp_entry where namespace = :source)
"""

_KNOWN_HERE = """
delete from fp_entry
where namespace = :source
  and key in (select key from fp_entry where namespace = :namespace)
"""

_MOVE = "update fp_entry set namespace = :namespace where namespace = :source"


def move(write: Write, space: Space, source: str, most: int) -> int:
    """Take over the entries of another namespace; return how many were moved.

    Raises:
        InvalidInput, LimitExceeded: Let it roll all back.
    """
    origin = namespaces.find(write, Space(space.owner, source))
    if origin is None:
        return 0
    record = namespaces.ensure(write, space)
    if origin.entries > most:
        raise LimitExceeded(
            f"{space.owner}/{source} has {origin.entries} rows; at most {most} can be moved",
            operation="move_from",
            path=write.path,
        )
    both = {"namespace": record.id, "source": origin.id, "now": write.now_ms}
    gone = write.change(_EXPIRE_ALL, {"namespace": origin.id, "now": write.now_ms})
    if write.run(_ANY_WITH_TTL, {"namespace": origin.id, "now": write.now_ms}):
        raise InvalidInput(
            f"{space.owner}/{source} has entries with a time to live; they cannot be moved",
            operation="move_from",
            path=write.path,
        )
    freed = namespaces.prune(write, record) + write.change(_EXPIRED_HERE, both)
    gone += write.change(_KNOWN_HERE, both)
    moved = write.change(_MOVE, both)
    rows = record.entries - freed + moved
    if record.max_entries is not None and rows > record.max_entries:
        raise no_room(write, record, "move_from")
    namespaces.count(write, record, moved - freed)
    namespaces.count(write, origin, -gone - moved)
    return moved
