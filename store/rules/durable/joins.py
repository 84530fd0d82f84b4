"""Joins: how many deliveries of a lane are handed over in one call.

A group that fails as a whole counts as no attempt of any of them: each may be handed over with
half as many from then on. So a poison comes to be alone. What fails alone stands aside.
"""

from __future__ import annotations


def half(count: int) -> int:
    """Return with how many each of a group that failed may be handed over, itself among them."""
    return (count + 1) // 2
