"""The store's clock: Unix time read once for each boot, then carried by the boot clock.

Within a boot it cannot step, whatever happens to the wall clock. A reboot ends every
lease, because the processes that held them are gone.
"""

from __future__ import annotations

import apsw

from ..clock import Clock

_READ = "select boot_id, boot_offset_ms from fp_store"

_WRITE = """
insert into fp_store (one, boot_id, boot_offset_ms, last_fence)
values (1, :boot_id, :offset, 0)
on conflict (one) do update
set boot_id = excluded.boot_id, boot_offset_ms = excluded.boot_offset_ms
"""

_EXPIRE = "update fp_delivery set lease_until_ms = 0 where state = 'leased'"


class Anchor:
    """now_ms() on the store's clock."""

    def __init__(self, clock: Clock, offset_ms: int) -> None:
        self._clock = clock
        self._offset_ms = offset_ms

    def now_ms(self) -> int:
        """Milliseconds of Unix time as it was at the first opening since boot, carried on."""
        return self._clock.boot_ms() + self._offset_ms


def drop(connection: apsw.Connection, clock: Clock) -> Anchor | None:
    """Return the anchor of this boot, None when the file has that of an earlier one."""
    row = connection.execute(_READ).fetchone()
    if row is None or row[0] != clock.boot_id():
        return None
    return Anchor(clock, row[1])


def weigh(connection: apsw.Connection, clock: Clock) -> None:
    """Anchor the clock to this boot and end all leases; within a write transaction."""
    offset = clock.wall_ms() - clock.boot_ms()
    connection.execute(_WRITE, {"boot_id": clock.boot_id(), "offset": offset})
    connection.execute(_EXPIRE)
