"""Messages that are kept for routes that are off, beside the deliveries that they may have."""

from __future__ import annotations

from collections.abc import Iterable

from ....types.messages.draft import Address
from ...memory import Write


def parted(write: Write, addresses: Iterable[Address]) -> tuple[list[Address], list[str]]:
    """Return the addresses that are delivered to, and the queues for which a message is kept."""
    off = write.tables.routes
    on = [address for address in addresses if address.queue not in off]
    return on, [address.queue for address in addresses if address.queue in off]


def keep(write: Write, message: int, queues: Iterable[str]) -> None:
    """Keep a message for queues whose routes are off."""
    for queue in queues:
        write.tables.kept[queue, message] = None
        row = write.tables.messages[message]
        write.tables.messages[message] = row._replace(route="kept", expires_ms=None)


def take(write: Write, message: int, queue: str) -> bool:
    """Keep a message no longer for a queue; False if it was not."""
    tables = write.tables
    if (queue, message) not in tables.kept:
        return False
    del tables.kept[queue, message]
    if not any(other == message for _, other in tables.kept):
        tables.messages[message] = tables.messages[message]._replace(route="routed")
    return True


def of(write: Write, queue: str) -> list[int]:
    """Return what is kept for a queue, oldest first."""
    return sorted(message for other, message in write.tables.kept if other == queue)


def drained(write: Write, queue: str) -> None:
    """Turn a route on whose last message was taken."""
    route = write.tables.routes.get(queue)
    if route is not None and route.state == "draining" and not of(write, queue):
        del write.tables.routes[queue]
