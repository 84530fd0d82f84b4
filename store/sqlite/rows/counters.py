"""What handlers have counted: one row for each name."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from ...types.durable.counts import MOST, added
from ..session.session import Session, Write

# A sum that is too large for the column would refuse the whole commit.
_ADD = """
insert into fp_counter (name, value)
select key, value
from json_each(:counts)
where true
on conflict do update set value = min(value, :most - excluded.value) + excluded.value
"""

_ALL = "select name, value from fp_counter order by name"


def add(write: Write, counted: Sequence[Mapping[str, int]]) -> None:
    """Add what several deliveries have counted."""
    write.run(_ADD, {"counts": json.dumps(added(counted)), "most": MOST})


def sums(session: Session) -> dict[str, int]:
    """Return all of it, by name."""
    return dict(map(tuple, session.read(_ALL)))
