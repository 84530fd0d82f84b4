"""The pool's row in the store's register: its state, its size and its queues."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ...store.engine import Engine
from ...store.errors import FencepostError
from ..unserved import AT_START, name_unserved
from .damage import Damage

_TELL_SECONDS = 30.0
_AGAIN_SECONDS = 1.0


class Registration:
    """Keeps the row of one pool true; None for a pool without workers, which has no row."""

    def __init__(self, engine: Engine, pool: int | None, damage: Damage) -> None:
        self._engine = engine
        self._pool = pool
        self._damage = damage
        self._told: tuple[str, int, tuple[str, ...]] | None = None
        self._tell_at = 0.0

    def tell(self, state: str, size: int, queues: Sequence[str]) -> None:
        """Write what has changed, and every 30 s also what has not."""
        if self._pool is None:
            return
        says = (state, size, tuple(queues))
        if time.monotonic() < self._tell_at and (says == self._told or self._told is None):
            return
        try:
            self._engine.pools.tell(self._pool, state=state, size=size, queues=queues)
        except FencepostError as error:
            self._damage.met(error)
            self._told = None
            self._tell_at = time.monotonic() + _AGAIN_SECONDS  # it is only information
        else:
            if self._told is not None and says[2] != self._told[2]:
                name_unserved(self._engine, AT_START)  # a reload may have renamed a handler
            self._told = says
            self._tell_at = time.monotonic() + _TELL_SECONDS
