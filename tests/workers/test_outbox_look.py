"""A worker claims from the outbox when there is something to send, and looks seldom while busy."""

from __future__ import annotations

from fencepost import Store
from fencepost.workers.worker.outbox_look import OutboxLook

from ..clock import FakeClock

URL = "https://example.com/"


# OUTBOX-11
def test_a_busy_worker_looks_now_and_then(store: Store, clock: FakeClock) -> None:
    look = OutboxLook(store.engine)
    look.look()
    assert not look.waits
    store.outbox(URL, b"")

    look.look()
    assert not look.waits  # it looked just now
    look.again()
    look.look()
    assert look.waits

    (claim,) = store.queue("outbox").claim(lease=600)
    look.again()
    look.look()
    assert not look.waits
    claim.retry(5)
    look.again()
    look.look()
    assert not look.waits
    clock.advance(5)
    look.again()
    look.look()
    assert look.waits
