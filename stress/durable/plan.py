"""What a message has its handler do, and where its process is to die."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec

PLAIN, COROUTINE = "plain", "coroutine"
BRIEF, NAPPING, CHANGED = "brief", "napping", "changed"
QUEUES = (PLAIN, COROUTINE, BRIEF, NAPPING, CHANGED)

NAPS = 10
GATHERED = 3
ANSWER = "answer"
SLEEP = "sleep"
# Where the worker of a message is stopped until another has claimed it.
STOP_AT = "record p2"

_LONGEST_NAP = 2.0
_TIMEOUTS = (0.2, 1.0)

_CALLS = ("p1", "p2", "p3")
_WRITES = ("t1", "t2")

# Of a step: in its function, before and after its commit, and once its outcome has been noted.
_POINTS = {
    **dict.fromkeys((*_CALLS, "g1"), ("in", "record", "recorded", "after")),
    **dict.fromkeys(_WRITES, ("in", "record", "commit", "committed", "after")),
    **dict.fromkeys((SLEEP, ANSWER), ("finally", "suspend", "suspended", "after")),
}
BOUNDARIES = tuple(f"{point} {step}" for step, points in _POINTS.items() for point in points)


class Plan(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the handler of a message does; it is the message's body.

    Attributes:
        order: Of its steps.
        nap: Seconds that it sleeps.
        timeout: Of its wait; None waits until there is an answer.
        kill: Where its first process to come there kills itself.
        stop: Its first process is stopped at STOP_AT.
        answers_itself: The answer comes after it has looked for one, and before it sleeps.
        rude: The handler returns when it is told that it is suspended.
    """

    order: tuple[str, ...] = ()
    nap: float = 0.0
    timeout: float | None = None
    kill: str = ""
    stop: bool = False
    answers_itself: bool = False
    rude: bool = False

    @property
    def body(self) -> bytes:
        """The plan as the body of a message."""
        return msgspec.json.encode(self)


def steps_of(queue: str) -> tuple[str, ...]:
    """Return the names under which the handler of a queue notes its outcomes."""
    gathered = tuple(f"g{number}" for number in range(GATHERED)) if queue == COROUTINE else ()
    match queue:
        case "brief":
            return ("p1", "p2", "t1")
        case "napping":
            return tuple(f"nap{number}" for number in range(NAPS))
        case "changed":
            return ("versioned", SLEEP, "p1")
        case _:
            return (*_CALLS, *_WRITES, *gathered, SLEEP, ANSWER)


def plans(chance: random.Random, count: int, stops: int) -> list[tuple[str, Plan]]:
    """Return the queues and plans of so many messages: each boundary is that of several."""
    boundaries = list(BOUNDARIES)
    chance.shuffle(boundaries)
    stopped = {count * number // stops for number in range(stops)}
    found: list[tuple[str, Plan]] = []
    for number in range(count):
        if number in stopped:
            found.append((PLAIN, _ordinary(chance, PLAIN, stop=True)))
        elif number % 12 == 11:
            found.append((NAPPING, Plan()))
        elif number % 12 == 5:
            found.append((CHANGED, Plan(nap=chance.uniform(0, 3))))
        elif number % 12 == 8:
            found.append((BRIEF, Plan()))
        else:
            at = boundaries[number % len(boundaries)] if number % 3 else ""
            only_there = at.endswith(" g1") or chance.random() < 0.4
            queue = COROUTINE if only_there else PLAIN
            found.append((queue, _ordinary(chance, queue, kill=at)))
    return found


def _ordinary(chance: random.Random, queue: str, *, kill: str = "", stop: bool = False) -> Plan:
    order = [*_CALLS, *_WRITES, SLEEP, ANSWER, *(("gather",) if queue == COROUTINE else ())]
    chance.shuffle(order)
    itself = chance.random() < 0.2
    return Plan(
        order=tuple(order),
        nap=chance.uniform(0, _LONGEST_NAP),
        timeout=None if itself or chance.random() < 0.2 else chance.uniform(*_TIMEOUTS),
        kill=kill,
        stop=stop,
        answers_itself=itself,
        rude=queue == PLAIN and chance.random() < 0.3,
    )


def version(folder: Path) -> int:
    """Return which version of the code the folder has; 0 where none is set."""
    path = folder / "version"
    return int(path.read_text()) if path.exists() else 0
