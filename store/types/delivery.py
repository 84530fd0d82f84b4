"""What operators see of deliveries, and what becomes of what they change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .message import State


@dataclass(frozen=True, slots=True)
class Delivery:
    """One row of a listing: a message on its way to one handler.

    Attributes:
        due_at: Unix seconds before which it is not claimable, None when it is now.
        holder: The pid of the process that holds it, None when none does.
        crashes: How many workers have crashed that held it and nothing else.
        origin: The queue that it was first put in, None unless it was moved since.
    """

    id: int
    message_id: int
    queue: str
    source: str | None
    key: str | None
    event: str
    state: State
    attempt: int
    max_attempts: int | None
    fence: int
    priority: int
    lane: str | None
    error: str | None
    received_at: float
    due_at: float | None
    expires_at: float | None
    holder: int | None
    crashes: int
    origin: str | None = None


@dataclass(frozen=True, slots=True)
class Content:
    """What a delivery carries, and what its handler returned.

    Attributes:
        body: None once every delivery of the message is done and `keep_body_for` is over.
        copy_of: The id of the message that this one is a copy of.
        copies: The ids of the copies that were made of it.
    """

    headers: Mapping[str, str]
    body: bytes | None
    result: Any
    copy_of: int | None = None
    copies: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Stored:
    """A message as it is kept.

    Attributes:
        remembered_until: Unix seconds; None while a delivery has not ended.
        body: None once every delivery is done and `keep_body_for` is over.
        copy_of: The id of the message that this one is a copy of.
        copies: The ids of the copies that were made of it.
    """

    id: int
    source: str | None
    key: str | None
    event: str
    received_at: float
    remembered_until: float | None
    headers: Mapping[str, str]
    body: bytes | None
    copy_of: int | None
    copies: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an operator's wish; true when it was fulfilled.

    Attributes:
        kind: "replayed", "copied", "cancelled" or "moved"; else why nothing was changed.
            "claimed": a process holds it. "active": it waits to be claimed, or to be routed.
            "completed", "already_cancelled", "not_found". "unrecoverable": its body is gone.
            "present": the queue it was to be moved to has its message, or its key, already.
            "routed": a message that has deliveries, which can be replayed.
        holder: The pid of the process that holds it, when "claimed".
        delivery, message: The ids of what is new, when "copied".
    """

    kind: Literal[
        "replayed",
        "copied",
        "cancelled",
        "moved",
        "claimed",
        "active",
        "completed",
        "already_cancelled",
        "not_found",
        "unrecoverable",
        "present",
        "routed",
    ]
    holder: int | None = None
    delivery: int | None = None
    message: int | None = None

    def __bool__(self) -> bool:
        return self.kind in ("replayed", "copied", "cancelled", "moved")


@dataclass(frozen=True, slots=True)
class Moved:
    """How many deliveries were moved to another queue, and how many were left.

    Attributes:
        leased: Left because a worker had them.
        present: Left because the other queue has their message, or their key.
    """

    moved: int
    leased: int
    present: int
