"""Unserved queues: they hold work, and no running pool serves them."""

from __future__ import annotations

import contextlib

from ..log.log import log
from ..store.engine import Engine
from ..store.errors import FencepostError

AT_START = "queues hold work and no running pool serves them"
AT_END = "queues still hold work: this pool does not serve them"

_MOST_NAMED = 20


def name_unserved(engine: Engine, what: str) -> None:
    """Log the unserved queues with their counts, if there are any."""
    with contextlib.suppress(FencepostError):  # it is only information
        if found := engine.operators.routing.unserved():
            named = [f"{each.queue} ({each.waiting + each.leased})" for each in found]
            more = ["…"] * (len(named) > _MOST_NAMED)
            log.warning(what, queues=", ".join(named[:_MOST_NAMED] + more))
