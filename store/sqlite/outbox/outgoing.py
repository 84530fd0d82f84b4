"""Where a message of the outbox goes, beside its body."""

from __future__ import annotations

import msgspec

from ...errors import StoreCorrupt
from ...types.sending.outgoing import OUTBOX, Outgoing
from ..session.session import Session

_FIND = """
select cast(outgoing as blob), tried_since_ms + retry_for_ms
from fp_delivery
cross join fp_body using (message_id)
where message_id = :message and queue = :queue
"""


class _Kept(msgspec.Struct, frozen=True):
    url: str
    secrets: list[str]


def packed(outgoing: Outgoing) -> str:
    """Return where a webhook goes, as it is stored."""
    return msgspec.json.encode(_Kept(outgoing.url, list(outgoing.secrets))).decode()


def outgoing(session: Session, message: int) -> Outgoing | None:
    """Return where a message goes; None for one that is no webhook.

    Raises:
        StoreCorrupt: What is stored cannot be read.
    """
    for stored, until_ms in session.read(_FIND, {"message": message, "queue": OUTBOX}):
        if stored is not None:
            try:
                kept = msgspec.json.decode(stored, type=_Kept)
            except msgspec.DecodeError as error:
                raise StoreCorrupt(
                    f"where message m{message} goes cannot be read: {error}",
                    operation="outgoing",
                    path=session.path,
                ) from error
            return Outgoing(kept.url, tuple(kept.secrets), until_ms)
    return None
