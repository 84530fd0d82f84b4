"""Deliveries and messages as operators see them, and outcomes of replay, cancel and move."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .messages.state import State

# What a replay lets a handler forget: nothing, all, or the step of this name and what came after.
Forget = None | Literal[True] | str


@dataclass(frozen=True, slots=True)
class Delivery:
    """One row of a listing: a message on its way to one handler.

    Attributes:
        due_at: Unix seconds before which it cannot be claimed; None if it can be now.
        holder: The pid of the process that has claimed it, None if none has.
        crashes: How many workers have crashed while they ran this delivery and no other.
        origin: The queue that it was enqueued in; None unless it was moved since.
        asleep: The step at which its handler sleeps or waits, until `due_at`.
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
    asleep: str | None = None


@dataclass(frozen=True, slots=True)
class Content:
    """The headers, body and result of a delivery.

    Attributes:
        body: None once every delivery of the message is done and `keep_body_for` has passed.
        copy_of: The id of the original, if the message is a copy.
        copies: The ids of its copies.
    """

    headers: Mapping[str, str]
    body: bytes | None
    result: Any
    copy_of: int | None = None
    copies: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Stored:
    """A message as it is stored.

    Attributes:
        remembered_until: When its key is forgotten, in Unix seconds; None while one of its
            deliveries has not ended.
        body: None once every delivery is done and `keep_body_for` has passed.
        copy_of: The id of the original, if the message is a copy.
        copies: The ids of its copies.
        kept_for: Queues that it will go to once their routes are on.
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
    kept_for: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a replay, cancel or move; true if something was changed.

    Attributes:
        kind: "replayed", "copied", "cancelled" or "moved" if it was changed. Otherwise the
            reason why not: "claimed" (a process has claimed it), "active" (it already waits
            to be claimed or routed), "sleeping" (its handler sleeps or waits), "completed",
            "already_cancelled", "not_found", "unrecoverable" (its body was deleted),
            "no_such_step" (it has recorded none of that name), "present" (the other queue has
            its message or its key already), "routed" (the message has deliveries; replay
            those), "kept" (a route of it is off: turn that on).
        holder: For "claimed", the pid of the process.
        delivery: For "copied", the id of the new delivery.
        message: For "copied", the id of the new message.
    """

    kind: Literal[
        "replayed",
        "copied",
        "cancelled",
        "moved",
        "claimed",
        "active",
        "sleeping",
        "completed",
        "already_cancelled",
        "not_found",
        "unrecoverable",
        "no_such_step",
        "present",
        "routed",
        "kept",
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
        leased: Left because a process has claimed them.
        present: Left because the other queue has their message, or their key, already.
    """

    moved: int
    leased: int
    present: int
