"""Calls on a store that are noted in a history, as the checker reads them."""

from __future__ import annotations

from typing import Any

from ...store import Claim, Queue
from ..records.history import Recorder


def enqueue(history: Recorder, queue: Queue, key: str, body: bytes = b"", **options: Any) -> str:
    """Enqueue a message and return the receipt's status."""
    with history.begin("enqueue", queue=queue.name, key=key, lane=None) as call:
        receipt = queue.enqueue(body, key=key, **options)
        call.ok(status=receipt.status, message_id=receipt.message_id)
    return receipt.status


def claim(history: Recorder, queue: Queue, *, limit: int = 1, lease: float = 30.0) -> list[Claim]:
    """Claim what is ready."""
    with history.begin("claim", queue=queue.name) as call:
        claims = queue.claim(limit=limit, lease=lease)
        call.ok(claims=[record(each, lease) for each in claims])
    return claims


def record(claim: Claim, lease: float) -> dict[str, Any]:
    """Return what a history has of a claim."""
    return {**which(claim), "lane": None, "lease_ms": lease * 1000}


def which(claim: Claim) -> dict[str, Any]:
    """Return by what a history knows a claim again."""
    return {"id": claim.id, "key": claim.message.key, "fence": claim.fence}


def ack(history: Recorder, claim: Claim) -> None:
    """Acknowledge a claim."""
    with history.begin("ack", **which(claim)):
        claim.ack()
