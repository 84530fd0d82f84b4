"""What handlers write in their transactions, to be counted."""

from __future__ import annotations

TABLE = "sim_effects"
CREATE = "create table sim_effects (name text)"
INSERT = "insert into sim_effects values (?)"


def of_message(message: int) -> str:
    """Return the name under which the effects of a message are written."""
    return f"message {message}"
