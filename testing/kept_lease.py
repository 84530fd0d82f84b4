"""A lease in a test, which needs no renewal."""

from __future__ import annotations

from ..store.engine import Engine
from ..store.local_lease import LocalLease

LEASE_SECONDS = 100 * 86_400

_NEVER_MS = 2**62


def kept(engine: Engine) -> LocalLease:
    """Return a lease as a handler sees it while its supervisor renews it."""
    return LocalLease(engine, ends_ms=_NEVER_MS)
