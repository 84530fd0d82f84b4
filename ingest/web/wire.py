"""HTTP connections with limits on the size and the time of a request's head."""

from __future__ import annotations

import asyncio
import re
from typing import cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# Four times what any provider's headers need.
_HEAD_BYTES = 64 * 1024
_HEAD_SECONDS = 10.0


# A server may ignore an offer to change the protocol (RFC 9110, section 7.8), and some clients
# make one with every first request. httptools would stop there, and lose the body.
_UPGRADE = re.compile(rb"\r\nupgrade:", re.IGNORECASE)


class Wire(HttpToolsProtocol):
    """uvicorn bounds neither, so a stranger could fill its memory or use up its descriptors."""

    _head = 0
    _in_head = False
    _in_body = False
    _too_late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast(asyncio.Transport, transport))
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._head += len(data)
        if not self._in_body:
            data = _without_offer(data)
        super().data_received(data)
        self.data_ends()

    def data_ends(self) -> None:
        """Look after what has been read of a request so far."""
        # A head that came in one piece has ended by now, and needs no timer.
        if self._in_head and not self.transport.is_closing():
            if self._head > _HEAD_BYTES:
                self.send_400_response("The headers are too large.")
            elif self._too_late is None:
                self._expect_head()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head, self._in_head = 0, True

    def on_headers_complete(self) -> None:
        self._in_head, self._in_body = False, True
        self._stop_waiting()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_body = False
        super().on_message_complete()

    def _expect_head(self) -> None:
        self._too_late = self.loop.call_later(_HEAD_SECONDS, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._too_late is not None:
            self._too_late.cancel()
            self._too_late = None


def _without_offer(data: bytes) -> bytes:
    end = data.find(b"\r\n\r\n")
    if _UPGRADE.search(data, 0, len(data) if end < 0 else end) is None:
        return data
    head, end_of_head, body = data.partition(b"\r\n\r\n")
    return _UPGRADE.sub(b"\r\nx-upgrade:", head) + end_of_head + body
