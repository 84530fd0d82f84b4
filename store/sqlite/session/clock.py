"""The store's clock: Unix time read once per boot, then counted by the boot clock.

Within a boot it cannot step, whatever happens to the wall clock. From one boot to the next
it never runs backwards: a wall clock that was set back would make all that is kept for a
time live longer, and all that waits wait longer. A reboot ends every lease, because the
processes that held them are gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import apsw

from ...clock import HostClock

if TYPE_CHECKING:
    from .write import Write

_READ = "select boot_id, boot_offset_ms from fp_store"

# What a store has in which anything was ever done.
_USED = "select 1 from sqlite_sequence union all select 1 from fp_lease limit 1"

# A moment that the clock has been past: of the last fence, the last round of upkeep, the
# newest message, the newest entry. Each is one step into an index.
_LATEST = """
select max(
  coalesce((select seen_ms from fp_store), 0),
  coalesce((select received_at_ms from fp_message order by id desc limit 1), 0),
  coalesce((
    select max((select max(created_at_ms) from fp_entry where namespace = fp_namespace.id))
    from fp_namespace
  ), 0)
)
"""

_SEE = "update fp_store set seen_ms = max(seen_ms, :now)"

_WRITE = """
insert into fp_store (one, store_id, boot_id, boot_offset_ms, last_fence, seed)
values (1, 'store-' || lower(hex(randomblob(16))), :boot_id, :offset, 0, randomblob(32))
on conflict (one) do update
set boot_id = excluded.boot_id, boot_offset_ms = excluded.boot_offset_ms
"""

_EXPIRE = (
    "update fp_delivery set lease_until_ms = 0 where state = 'leased' and lease_until_ms is not null",
    "update fp_lease set expires_at_ms = 0 where token is not null",
    "update fp_once set expires_at_ms = 0 where state = 'claimed'",
)


class StoreClock:
    """now_ms() on the store's clock."""

    def __init__(self, clock: HostClock, offset_ms: int) -> None:
        self._clock = clock
        self._offset_ms = offset_ms

    def now_ms(self) -> int:
        """Milliseconds of Unix time as it was at the first opening since boot, carried on."""
        return self._clock.boot_ms() + self._offset_ms


def read(connection: apsw.Connection, clock: HostClock) -> StoreClock | None:
    """Return the clock of this boot, None when the file has that of an earlier one."""
    row = connection.execute(_READ).fetchone()
    if row is None or row[0] != clock.boot_id():
        return None
    if not isinstance(row[1], int):
        raise TypeError(f"the offset of the clock is {row[1]!r}")
    return StoreClock(clock, row[1])


def start_boot(connection: apsw.Connection, clock: HostClock) -> None:
    """Set the clock for this boot and end all leases; within a write transaction."""
    if connection.execute(_READ).fetchone() is None and connection.execute(_USED).fetchone():
        # A new row would count the fences from the first again.
        raise ValueError("the row of fp_store is missing")
    latest: int = connection.execute(_LATEST).get
    offset = max(clock.wall_ms(), latest) - clock.boot_ms()
    connection.execute(_WRITE, {"boot_id": clock.boot_id(), "offset": offset})
    for statement in _EXPIRE:
        connection.execute(statement)


def see(write: Write) -> None:
    """Record that the clock has come so far, for the next boot."""
    write.run(_SEE, {"now": write.now_ms})
