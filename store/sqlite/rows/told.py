"""Who is told of the end of which message: rows that go with the commit that ends it."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

import apsw

from ..session.session import Write

# For a statement that runs at each end anyhow, so that nobody has to ask while nobody waits.
ANYBODY = "exists (select 1 from fp_told)"

# What has ended tells nobody any more.
_LISTEN = """
insert into fp_told (message_id, ear)
select distinct message_id, :ear
from fp_delivery
where message_id in carray(:messages) and state in ('ready', 'leased', 'sleeping')
on conflict do nothing
"""

_TAKE = "delete from fp_told where message_id in carray(:messages) returning ear, message_id"

_EARS = "select ear, message_id from fp_told where message_id in carray(:messages)"

_FORGET = """
delete from fp_told
where message_id in carray(:messages) and not exists (
  select 1
  from fp_delivery
  where fp_delivery.message_id = fp_told.message_id and state in ('ready', 'leased', 'sleeping')
)
"""


def listen(write: Write, ear: int, messages: Sequence[int]) -> None:
    """Have an ear told of the ends of those of these messages that have not ended."""
    if messages:
        write.run(_LISTEN, {"ear": ear, "messages": ids(messages)})


def tell_ended(write: Write, messages: Sequence[int]) -> None:
    """Tell, after the commit, that these have ended, each with its only delivery."""
    if write.anybody_waits:
        write.told += tuple(write.run(_TAKE, {"messages": ids(messages)}))


def tell(write: Write, messages: Sequence[int]) -> None:
    """Tell, after the commit, that a delivery of each of these has ended."""
    if not write.anybody_waits:
        return
    if ears := write.run(_EARS, {"messages": ids(messages)}):
        write.told += tuple(ears)
        write.run(_FORGET, {"messages": ids(messages)})


def ids(messages: Sequence[int]) -> Any:
    """Return ids, at least one, as one binding, for `in carray(?)`."""
    return apsw.carray(array("q", messages))
