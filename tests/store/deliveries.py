"""A push of GitHub's, delivered as a receiver does it, and what has become of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from fencepost import Claim, Receipt, Store
from fencepost.store.types.messages.draft import Address, Draft
from fencepost.store.types.messages.limits import Limits

DEPLOY = (Address("deploy"),)


def draft(addresses: Sequence[Address] = DEPLOY, **changes: Any) -> Draft:
    """A push of GitHub's, as the receiver passes it on."""
    given = Draft(
        scope="github",
        source="github",
        key="event-1",
        event="push",
        headers={"x-github-event": "push"},
        body=b"the body",
        addresses=addresses,
        redelivery="revive",
    )
    return replace(given, **changes)


def deliver(store: Store, addresses: Sequence[Address] = DEPLOY, **changes: Any) -> Receipt:
    """Store it."""
    (receipt,) = store.engine.queue.enqueue([draft(addresses, **changes)])
    return receipt


def claim(store: Store, queue: str = "deploy", **limits: Any) -> Claim:
    """Claim the next one of a queue, as a worker whose handler has these limits."""
    leases, _ = store.engine.queue.claim(
        [queue], limit=1, lease_ms=30_000, limits={queue: Limits(**limits)} if limits else None
    )
    return Claim(store.engine, leases[0])


def states(store: Store) -> dict[str, str]:
    """Return the state of the delivery in each queue."""
    return {found.queue: found.state for found in store.deliveries()}
