"""When a delivery that fails is dead: its attempts are used up, or it was tried for too long."""

from __future__ import annotations


def is_exhausted(
    *,
    attempt: int,
    max_attempts: int | None,
    tried_since_ms: int | None,
    retry_for_ms: int,
    now_ms: int,
    interrupted: bool,
) -> bool:
    """True when a delivery whose attempt has failed is not tried again.

    Args:
        attempt: How many attempts have begun, with the one that failed.
        tried_since_ms: When the first of them began, None before that.
        interrupted: Its lease was ended by a reboot or a restore. Time in which the store was
            away is none in which the delivery was tried.
    """
    if max_attempts is not None and attempt >= max_attempts:
        return True
    if tried_since_ms is None or interrupted:
        return False
    return now_ms >= tried_since_ms + retry_for_ms
