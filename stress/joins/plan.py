"""What messages have their calls do, and what their handlers are declared to join."""

from __future__ import annotations

import random
from typing import NamedTuple

import msgspec


class Declared(NamedTuple):
    """How a handler is declared.

    Attributes:
        window_ms: None where what waits is handed over at once.
    """

    window_ms: int | None
    most: int
    debounce: bool = False
    latest: bool = False
    max_attempts: int | None = None


PLAIN, WRITING, COROUTINE = "plain", "writing", "coroutine"
FAILING, NEWEST, DEBOUNCED, TASKS = "failing", "newest", "debounced", "tasks"
QUIET, QUIET_DEBOUNCED = "quiet", "quiet-debounced"

DECLARED = {
    PLAIN: Declared(60, 12),
    WRITING: Declared(60, 12),
    COROUTINE: Declared(30, 12),
    FAILING: Declared(60, 12, max_attempts=4),
    NEWEST: Declared(60, 12, latest=True),
    DEBOUNCED: Declared(40, 12, debounce=True),
    TASKS: Declared(None, 5),
    QUIET: Declared(400, 4),
    QUIET_DEBOUNCED: Declared(300, 12, debounce=True),
}
LOADED = (PLAIN, WRITING, COROUTINE, FAILING, NEWEST, DEBOUNCED, TASKS)

# With debounce, for how many windows the first waits at most.
BOUND_WINDOWS = 10
# More than there is room for is waiting in the lanes of a handler whose calls count so.
MOST_LEASED = 8

_FAILURES = 0.12
_POISONS = 0.03
_KEYLESS = 0.05


class Plan(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is to come of a message; it is its body.

    Attributes:
        key: By which it is joined; "" is none.
        fails: In so many of its attempts the handler says that it has failed.
        poison: Each call that has it raises.
        kill: The first process that comes there with it kills itself: "begin" or "end".
        stop: The first process to have it with others, of all messages with this number, is
            stopped until another has them; 0: none.
    """

    key: str
    fails: int = 0
    poison: bool = False
    kill: str = ""
    stop: int = 0

    @property
    def body(self) -> bytes:
        """The plan as the body of a message."""
        return msgspec.json.encode(self)

    @property
    def dies(self) -> bool:
        """True of one that no attempt gets done."""
        return self.poison or self.fails >= 100


def plans(
    chance: random.Random, count: int, keys: int, *, kills: int, stops: int
) -> list[tuple[str, Plan]]:
    """Return the queues and plans of so many messages: a key is one queue's."""
    killed = set(chance.sample(range(count), min(kills, count)))
    found = []
    for number in range(count):
        place = chance.randrange(keys)
        queue = LOADED[place % len(LOADED)]
        plan = Plan(f"k{place}", kill=chance.choice(("begin", "end")) if number in killed else "")
        if queue == FAILING:
            plan = _failing(chance, plan)
        if queue in (PLAIN, FAILING, NEWEST) and chance.random() < _KEYLESS:
            plan = msgspec.structs.replace(plan, key="")
        found.append((queue, plan))
    written = [number for number, (queue, _) in enumerate(found) if queue == WRITING]
    for place, number in enumerate(written if stops else []):
        plan = msgspec.structs.replace(found[number][1], stop=1 + place * stops // len(written))
        found[number] = (WRITING, plan)
    return found


def _failing(chance: random.Random, plan: Plan) -> Plan:
    drawn = chance.random()
    if drawn < _POISONS:
        return Plan(plan.key, poison=True)
    if drawn < _POISONS + _FAILURES:
        return Plan(plan.key, fails=chance.choice((1, 1, 2, 100)), kill=plan.kill)
    return plan


def due_of(declared: Declared, arrived: list[int]) -> int:
    """Return when a call is due, of messages that came to an idle key then, oldest first."""
    assert declared.window_ms is not None
    due = arrived[0] + declared.window_ms
    bound = arrived[0] + BOUND_WINDOWS * declared.window_ms
    for number, at in enumerate(arrived, 1):
        if at >= due:
            break
        if declared.debounce:
            due = min(at + declared.window_ms, bound)
        if number == declared.most:
            return at
    return due
