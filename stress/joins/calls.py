"""The calls that processes have noted, in the order of their fences."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec

from ..durable.notes import Note, read

# How a call ended of which nothing more is known: its process did not come to its end.
UNKNOWN = "unknown"

# The end of a call is stored with its worker's next claim, which may have begun before.
_UNSETTLED = 3


class Noted(msgspec.Struct):
    """A call of a handler.

    Attributes:
        key: Of its messages; several with a space between them.
        ids: Of the deliveries that were claimed for it.
        given: Of those that were handed over: the newest, with latest_only.
        arrived_ms: When these did, on the store's clock.
        ended: "done", "failed" (some have), "raised" or UNKNOWN.
        failed: Which have.
        hit: Its process was killed soon after it began, or stood still at some time: nobody
            knows whether its end was stored.
    """

    fence: int
    key: str
    ids: list[int]
    given: list[int]
    arrived_ms: list[int]
    begun_ms: int
    hit: bool = False
    ended: str = UNKNOWN
    ended_ms: int = 0
    failed: list[int] = []

    @property
    def told(self) -> str:
        """What a finding calls it."""
        ids = ", ".join(f"d{id}" for id in self.ids[:12])
        return f"the call of {self.key} with fence {self.fence} ({ids}; {self.ended})"


class Calls(NamedTuple):
    """What is known of all calls.

    Attributes:
        calls: By fence.
        late: What was noted of writes after a stop.
        hits: How many processes were killed or stopped.
    """

    calls: list[Noted]
    late: list[Note]
    hits: int


def calls(folder: Path) -> Calls:
    """Return what processes have noted."""
    notes = read(folder)
    found: dict[int, Noted] = {}
    of: dict[str, list[Noted]] = defaultdict(list)
    for note in notes:
        if note.what == "call":
            ids, given, arrived = json.loads(note.says)
            call = Noted(note.fence, note.step, ids, given, arrived, note.at_ms)
            found[note.fence] = call
            of[note.process].append(call)
        elif note.what == "ended":
            call = found[note.fence]
            call.ended, call.ended_ms = note.step, note.at_ms
            call.failed = [] if note.step == "raised" else json.loads(note.says)
    gone = _gone(notes)
    for process, mine in of.items():
        if any(call.ended == UNKNOWN for call in mine):  # its pool may have killed it as well
            gone.setdefault(process, False)
    for process, halted in gone.items():
        begun = [call.begun_ms for call in of[process]]
        for call in of[process]:
            after = sum(at_ms > call.ended_ms for at_ms in begun)
            call.hit = halted or call.ended == UNKNOWN or after < _UNSETTLED
    late = [note for note in notes if note.what == "late"]
    return Calls([found[fence] for fence in sorted(found)], late, len(gone))


def _gone(notes: Iterable[Note]) -> dict[str, bool]:
    """Return the processes that were hit; True of one that only stood still."""
    gone: dict[str, bool] = {}
    for note in notes:
        if note.what == "struck":
            gone[note.says] = gone.get(note.says, False) or note.step == "halted"
        elif note.what in ("killed", "stopped"):
            gone[note.process] = gone.get(note.process, False) or note.what == "stopped"
    return gone
