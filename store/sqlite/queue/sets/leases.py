"""Rows that are claimed by set, read as leases."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence
from typing import Any

import msgspec

from ....engine.ports.clock import Term
from ....engine.queue.claims import Hold, Leased
from ....types.messages.message import Message
from .note import Note
from .odd import OddSet

# What reading a damaged row raises.
UNREADABLE = (msgspec.DecodeError, zlib.error, TypeError, ValueError)

_read_headers = msgspec.json.Decoder(dict[str, str]).decode


def picked(ids: str) -> str:
    """Return the statement that reads deliveries, given one whose rows are their ids as `picked`.

    "cross join" fixes the order.
    """
    return f"""
select
  d.id, d.attempt, d.bytes, d.lane, d.origin, m.id, m.source, m.key, m.event,
  cast(m.headers as blob), body, compressed, m.body_sha256, m.received_at_ms, m.copy_of, m.keep_ms,
  m.keep_body_ms, d.fence, d.generation, m.unrouted <> 0 or exists (
    select 1 from fp_delivery as other where other.message_id = d.message_id and other.id <> d.id
  )
from ({ids})
cross join fp_delivery as d on d.id = picked
cross join fp_message as m on m.id = d.message_id
left join fp_body as b on b.message_id = m.id
"""


def leased(
    rows: Sequence[Sequence[Any]], queue: str, offset: int, token: str, term: Term
) -> list[Leased]:
    """Return what was picked as leased; the fence of each is `offset` from its id.

    Raises:
        OddSet: A body is not the one that was stored.
    """
    leases = []
    for (
        id,
        attempt,
        bytes,
        lane,
        origin,
        message,
        source,
        key,
        event,
        headers,
        body,
        compressed,
        sha256,
        received,
        copy_of,
        keep,
        keep_body,
        fence,
        generation,
        shared,
    ) in rows:
        if compressed:
            body = zlib.decompress(body)
        if body is None or hashlib.sha256(body).digest() != sha256:
            raise OddSet
        note = None
        if not shared and not keep_body:
            note = Note(queue, message, lane, bytes, keep)
        leases.append(
            Leased(
                Hold(id, offset + id, token, note, fence > 0),
                queue,
                Message(
                    message,
                    source,
                    key,
                    event,
                    {} if headers == b"{}" else _read_headers(headers),
                    body,
                    received / 1000,
                    copy_of,
                ),
                attempt + 1,
                term,
                origin,
                generation,
            )
        )
    return leases
