"""The receiver's ASGI application, which waits for its store."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from ...app.interfaces import ReceiverApp
from ...app.outage import patiently
from ...store.errors import StoreCorrupt
from ..lazy_store import LazyStore
from .asgi import Asgi
from .reading import Receive, Send


class Receiver(Asgi):
    """POST /in/<source>, GET /healthz, GET /readyz.

    Args:
        on_ready: Called once requests can be answered.
        on_waiting: Called when the store cannot be used yet.
    """

    def __init__(
        self,
        app: ReceiverApp,
        *,
        on_ready: Callable[[], None] = lambda: None,
        on_waiting: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(app, LazyStore(app, create=False, waits=True), mounted=False)
        self._on_ready = on_ready
        self._on_waiting = on_waiting

    async def run_lifespan(self, receive: Receive, send: Send) -> None:
        """Be ready as soon as the store can be used; close it at shutdown."""
        await receive()
        with contextlib.suppress(StoreCorrupt):  # each request is answered 503
            await asyncio.to_thread(patiently, self.lazy_store.open, self._on_waiting)
        await send({"type": "lifespan.startup.complete"})
        self._on_ready()
        await self.shut_down(receive, send)
