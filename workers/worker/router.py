"""Routing messages that were kept: for want of a route, or because it was off."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ...app.interfaces import WorkerApp
from ...log.log import log
from ...store import Message, Store
from ...store.errors import FencepostError, StoreCorrupt
from ...store.types.messages.draft import Address

_ROUND_SECONDS = 1.0
_AT_ONCE = 50
_DRAINED_AT_ONCE = 100


class Router:
    """Routes such messages of the app's sources by the routes that the app has now."""

    def __init__(self, store: Store, app: WorkerApp) -> None:
        self._routing = store.engine.operators.routing
        self._routes = store.engine.operators.routes
        self._app = app
        self._due = 0.0

    def look(self, *, at_once: bool = False) -> bool:
        """Route some, at most once a second unless `at_once`; False if there were none."""
        if not self._app.sources or (time.monotonic() < self._due and not at_once):
            return False
        self._due = time.monotonic() + _ROUND_SECONDS
        try:
            return self._route() | self._drain()
        except StoreCorrupt:
            raise
        except FencepostError:
            return False  # tried again in a second; claiming logs an outage

    def _route(self) -> bool:
        messages = self._routing.to_route(self._app.sources, _AT_ONCE)
        if not messages:
            return False
        # The app's routes run outside the transaction.
        routed = [(message, self._addresses(message)) for message in messages]
        for (message, addresses), done in zip(routed, self._routing.route(routed), strict=True):
            if done:  # else another worker has routed it
                _say(message, addresses, "routed again")
        return True

    def _drain(self) -> bool:
        """Route some of what was kept while its route was off."""
        some = False
        for queue in self._routes.draining(self._app.handlers, self._app.sources):
            messages = self._routes.kept(queue, self._app.sources, _DRAINED_AT_ONCE)
            if not messages:
                continue
            routed = [(message, self._address(message, queue)) for message in messages]
            changed = self._routes.drain(queue, routed)
            some |= any(changed)
            for (message, address), done in zip(routed, changed, strict=True):
                if done:
                    _say(message, [] if address is None else [address], "routed: its route is on")
        return some

    def _address(self, message: Message, queue: str) -> Address | None:
        return next((to for to in self._addresses(message) if to.queue == queue), None)

    def _addresses(self, message: Message) -> Sequence[Address]:
        try:
            return self._app.addresses(message)
        except BaseException as error:  # noqa: BLE001 - a route must not end the worker
            log.error("cannot evaluate the routes", message=f"m{message.id}", exc_info=error)
            return ()


def _say(message: Message, addresses: Sequence[Address], how: str) -> None:
    what = {
        "source": message.source,
        "key": message.key,
        "message": f"m{message.id}",
        "event_name": message.event,
    }
    if addresses:
        log.info(how, queues=", ".join(each.queue for each in addresses), **what)
    else:
        log.warning("still no route matches: the message is kept", **what)
