"""The thread whose event loop has the connections of a worker's webhooks.

The worker's own loop stands still while a plain handler runs. An answer would come in meanwhile,
and its time would be over before anyone looked.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


class NetworkThread:
    """Starts with its first use, and ends with the process."""

    def __init__(self, lookups: int) -> None:
        """`lookups` is how many names may be looked up at the same time."""
        self._lookups = lookups
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine there; when this call is cancelled, so is the coroutine."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, self._ready()))

    def _ready(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            loop = self._loop = asyncio.new_event_loop()
            loop.set_default_executor(ThreadPoolExecutor(self._lookups, "fencepost-dns"))
            threading.Thread(target=loop.run_forever, name="fencepost-send", daemon=True).start()
        return self._loop
