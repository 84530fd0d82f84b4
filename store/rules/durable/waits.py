"""What becomes of an answer to a wait."""

from __future__ import annotations

from ...types.durable.wait import Answered, Wait


def decide_answer(found: Wait | None, value: str, *, state: str | None, now_ms: int) -> Answered:
    """Decide by the wait as it is stored, under the write lock.

    Args:
        value: Canonical JSON, so that the same answer is the same text.
        state: Of the delivery; None when it is not there any more.
    """
    if state not in ("ready", "leased", "sleeping"):
        return "gone"
    if found is None:
        return "accepted"
    if found.answer is not None:
        return "duplicate" if found.answer == value else "conflict"
    if found.deadline_ms is not None and found.deadline_ms <= now_ms:
        return "gone"
    return "accepted"
