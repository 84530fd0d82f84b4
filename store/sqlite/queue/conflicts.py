"""How often each source has sent a key that was known, with another body."""

from __future__ import annotations

from ...types.message import Draft
from ...types.unserved import Conflicts
from ..session.session import Session, Write

_COUNT = """
insert into fp_conflict (source, conflicts, key, last_at_ms)
values (:source, 1, :key, :now)
on conflict do update set conflicts = conflicts + 1, key = :key, last_at_ms = :now
"""

_LIST = """
select source, conflicts, key, last_at_ms
from fp_conflict
order by source
"""

_KEYS = "select count(*) from fp_message where key is not null and scope = :source"


def count(write: Write, draft: Draft) -> None:
    """Count one more; the caller of a queue's enqueue is told, and nothing is counted."""
    if draft.source is not None:
        write.run(_COUNT, {"source": draft.source, "key": draft.key, "now": write.now_ms})


def conflicts(session: Session) -> list[Conflicts]:
    """Return the sources that have had any, by name."""
    return [
        Conflicts(source, conflicts, key, last / 1000)
        for source, conflicts, key, last in session.read(_LIST)
    ]


def keys_of(session: Session, source: str) -> int:
    """Count the keys of a source that are remembered."""
    ((keys,),) = session.read(_KEYS, {"source": source})
    return int(keys)
