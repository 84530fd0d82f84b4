"""The workers of a pool keep the store in order by the way."""

from __future__ import annotations

from ..processes import running, wait_until
from ..sqlite.inside import ask, connection
from .conftest import Site


# WAL-2
def test_a_pool_removes_what_has_expired(site: Site) -> None:
    site.store.queue("quick").enqueue(b"", key="old")
    (claim,) = site.store.queue("quick").claim()
    claim.ack()
    connection(site.store).execute("update fp_message set expires_at_ms = 1")

    with running(site.work(), cwd=site.folder):
        wait_until(lambda: ask(site.path, "select count(*) from fp_message") == [(0,)], "it goes")
