"""The handler of the queue OUTBOX: it sends webhooks, and decides how each attempt ended."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...store import Message
from ...store.errors import PASSING, FencepostError, InvalidInput
from ...store.rules.failures.backoff import backoff_ms
from ...store.types.sending.destination import Destination, destination
from ...store.types.sending.outgoing import Outgoing, Response
from ..context import Context
from ..exceptions import Discard, Retry
from . import signing
from .addresses import Refused
from .network_thread import NetworkThread
from .options import SendingOptions

if TYPE_CHECKING:
    from .answers import Answer
    from .exchange import Exchange

CONCURRENCY = 100
_STORE_MS = 1000


class Postponed(Exception):
    """Raised by the sender: give the delivery back for so long, and count no attempt."""

    def __init__(self, delay_ms: int) -> None:
        super().__init__(f"postponed for {delay_ms} ms")
        self.delay_ms = delay_ms


class Sender:
    """Sends one webhook per call, many at the same time."""

    def __init__(self, options: SendingOptions) -> None:
        self._options = options
        self._network = NetworkThread(CONCURRENCY)
        self._exchange: Exchange | None = None

    async def __call__(self, message: Message, ctx: Context) -> dict[str, Any]:
        """Make one attempt; return what is kept of the answer."""
        try:
            outgoing = ctx.store.engine.queue.outbox.outgoing(message.id)
            if outgoing is None:
                raise Discard("it has no URL: it was put into the outbox without send or outbox")
            where = self._where(outgoing)
            secrets = signing.resolve(outgoing.secrets, self._options.secrets)
            self._admit(where, outgoing, ctx)
        except PASSING:
            raise Postponed(_STORE_MS) from None  # nothing was sent, so it is no attempt
        try:
            answer = await self._post(message, outgoing.url, secrets, ctx)
        except Refused as refused:
            self._tell(ctx, where, None)
            raise Discard(f"refused: {refused}") from None
        self._tell(ctx, where, answer)
        return self._outcome(answer, outgoing, ctx)

    def _admit(self, where: Destination, outgoing: Outgoing, ctx: Context) -> None:
        """Raise unless the host can take one now.

        Raises:
            Postponed: It cannot.
            Discard: It cannot, and the time for retries is over.
        """
        admission = ctx.store.engine.queue.outbox.admit(where.name, _token(ctx))
        if not admission.wait_ms:
            return
        if (left_ms := _left_ms(outgoing, ctx)) <= 0:
            raise Discard("its time for retries is over, and its host fails or asks to wait")
        raise Postponed(min(admission.wait_ms, left_ms))

    def _where(self, outgoing: Outgoing) -> Destination:
        try:
            where = destination(outgoing.url)
        except InvalidInput as error:
            raise Discard(f"refused: {error}") from None
        if where.scheme != "https" and not self._options.private:
            raise Discard("refused: only https is allowed (send_to_private=True allows http)")
        return where

    async def _post(
        self, message: Message, url: str, secrets: Sequence[bytes], ctx: Context
    ) -> Answer:
        # By the wall's clock, as the receiver compares it, and not by the store's.
        now, body = time.time(), message.body
        id = signing.webhook_id(ctx.store.engine.identity.store_id, message)
        headers = {
            **signing.headers(id, body, secrets, now),
            "content-type": message.headers.get("content-type", "application/octet-stream"),
        }
        return await self._network.run(self._exchanged(url, body, headers))

    async def _exchanged(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        if self._exchange is None:  # in the network's thread: the import takes its time
            from .exchange import Exchange

            self._exchange = Exchange(private=self._options.private)
        return await self._exchange.post(url, body, headers)

    def _tell(self, ctx: Context, where: Destination, answer: Answer | None) -> None:
        """Tell what the host did; a refusal says nothing against it."""
        response: Response = "answered"
        asked_ms = 0
        if answer is not None:
            response, asked_ms = answer.response(time.time())
        # The outcome of the webhook does not depend on it: the next attempt tells again.
        with contextlib.suppress(FencepostError):
            ctx.store.engine.queue.outbox.heard(where.name, response, _token(ctx), asked_ms)

    def _outcome(self, answer: Answer, outgoing: Outgoing, ctx: Context) -> dict[str, Any]:
        if answer.is_delivered:
            return answer.result()
        if answer.is_gone:
            raise Discard(answer.error())
        wait_ms = max(backoff_ms(ctx.attempt), answer.asked_ms(time.time()))
        if (left_ms := _left_ms(outgoing, ctx)) > 0:
            wait_ms = min(wait_ms, left_ms)  # the last attempt is at the end of its time
        raise Retry(wait_ms / 1000, answer.error())


def _token(ctx: Context) -> str:
    """Return what tells this attempt from every other of the store."""
    return str(ctx.fence)


def _left_ms(outgoing: Outgoing, ctx: Context) -> int:
    """Return how long it is still tried."""
    return outgoing.until_ms - ctx.store.engine.clock.now_ms()
