"""Messages that handlers wait for."""

from __future__ import annotations

from fnmatch import fnmatchcase

from ...types.durable.wait import Subject
from ..memory import Write
from ..rows import MessageRow
from . import due


def wake(write: Write, message: MessageRow) -> None:
    """Wake whoever waits for a message."""
    for place, subject in list(write.tables.subjects.items()):
        row = write.tables.deliveries[place[0]]
        deadline_ms = write.tables.waits[place].deadline_ms
        is_over = deadline_ms is not None and deadline_ms <= write.now
        if row.state == "sleeping" and not is_over and matches(message, subject):
            due.wake(write, row)


def matches(message: MessageRow, subject: Subject) -> bool:
    """True if a message may be what is waited for."""
    return (
        message.source == subject.source
        and subject.key in (None, message.wait_key)
        and message.body is not None
        and message.id > subject.after
        and any(fnmatchcase(message.event, each) for each in (subject.event, subject.event + ".*"))
    )
