"""ctx.send: a webhook that a handler sends once, however often the handler runs."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from typing import Any

from ...store import Claim, Receipt, Store
from ...store.errors import InvalidInput
from ...store.naming import verbs
from ...store.outbox import Secret, send
from ...store.types.sending.destination import destination
from ..steps.errors import StepChanged
from .extra import require_extra


@verbs
class Sends:
    """The part of a context for webhooks."""

    store: Store
    _claim: Claim
    _check: Callable[[], None]
    _closed: bool
    # What the attempt ends with, once a send was another one than before.
    _changed: StepChanged | None = None
    # How many sends without a key there were, by their place.
    _counts: Counter[str] | None = None

    @property
    def _place(self) -> str:
        """What is equal in each attempt that comes by here: of the delivery, or of its step.

        A step that is replayed sends nothing, so its sends must not count with the others.
        """
        raise NotImplementedError

    @property
    def ends_with(self) -> BaseException | None:
        """What the attempt ends with, whatever the handler returns or raises."""
        raise NotImplementedError

    def send(
        self,
        url: str,
        body: Any,
        *,
        key: str | None = None,
        secret: Secret | None = None,
        lane: str | None = None,
    ) -> Receipt:
        """Send a webhook once, however often this handler runs; a pool posts it later.

        In `transaction()`, or in a step with `in_transaction=True`, it is part of that.
        Elsewhere it is stored at once, and a later attempt at this delivery stores nothing more.
        The page "Durable handlers" has a section "Sending".

        Args:
            url: Where it is posted to. Only public addresses are, over https, unless the app
                has `send_to_private=True`.
            body: Bytes go out as they are, a str as UTF-8; anything else as JSON.
            key: The dedupe key, unique within the outbox: the same key again is not sent
                again. None stands for this delivery and the place of this call among its
                sends without a key.
            secret: What signs it by Standard Webhooks: the secret, or a name in
                `App(secrets=...)`, which keeps the secret out of the store. Several sign side
                by side, while a secret is rotated. None leaves the webhook unsigned.
            lane: Webhooks with the same lane are sent one at a time, oldest first. One that
                fails then holds up the others until it is delivered or dead.

        Raises:
            StepChanged: The key is known with another URL or body; the delivery is a dead
                letter.
            InvalidInput: An argument is not usable, or the extra `fencepost[send]` is missing.
        """
        self._check()
        require_extra("send")
        if (ended := self.ends_with) is not None:
            raise ended
        if self._closed:
            raise InvalidInput("ctx.send after the end of the attempt", operation="send")
        what, own = (key, key) if key is not None else self._next()
        receipt = send(self.store.engine, url, body, key=own, secret=secret, lane=lane)
        if receipt.status == "conflict":
            self._changed = StepChanged(
                f"send {what}",
                1,
                recorded=f"another URL or body (m{receipt.message_id})",
                given=f"a webhook to {destination(url).name}",
                operation="send",
            )
            raise self._changed
        return receipt

    def _next(self) -> tuple[str, str]:
        """Return the number of a send without a key, and its key."""
        if self._counts is None:
            self._counts = Counter()
        place = self._place
        self._counts[place] += 1
        return str(self._counts[place]), derived_key(
            place, self._counts[place], self._claim.generation
        )


def derived_key(place: str, number: int, generation: int = 0) -> str:
    """Return the key of the `number`-th send of a delivery, or of a step, without its own."""
    parts = "\0".join((place, str(number), str(generation)))
    return hashlib.sha256(parts.encode()).hexdigest()
