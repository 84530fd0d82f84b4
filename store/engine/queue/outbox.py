"""The contract for outgoing webhooks: messages of the queue OUTBOX, and the hosts they go to."""

from __future__ import annotations

from typing import Protocol

from ...types.messages.draft import Draft
from ...types.messages.receipt import Receipt
from ...types.sending.outgoing import Admission, Outgoing, Response


class OutboxVerbs(Protocol):
    """What a database does for webhooks to be sent, beside what it does for every message."""

    def send(self, draft: Draft, outgoing: Outgoing) -> Receipt:
        """Store a webhook as `QueueVerbs.enqueue` stores a message, and where it goes.

        Where it goes is kept exactly as long as its body, and copied with it.

        Joins: yes.

        Raises:
            QueueFull, LimitExceeded: It has no room; nothing was stored.
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...

    def outgoing(self, message: int) -> Outgoing | None:
        """Return where a message in the queue OUTBOX goes; None for one that `send` did not store.

        Joins: reads.

        Raises:
            StoreBusy, StoreFailed.
        """
        ...

    def admit(self, host: str, token: str) -> Admission:
        """Ask whether one may be sent to a host now.

        Of a host that is half open, one is admitted as its probe, by this token. Nothing is
        written otherwise. The rules are those of rules/failures/breaker.py.

        Joins: yes.

        Raises:
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown: Repeat it with the same token.
        """
        ...

    def heard(self, host: str, response: Response, token: str, asked_ms: int = 0) -> None:
        """Tell what a host did with an attempt that was admitted by this token.

        Nothing is written for a host that is well and stays so.

        Joins: yes.

        Raises:
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown: It may be counted or not.
        """
        ...
