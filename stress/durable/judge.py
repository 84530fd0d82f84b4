"""The judge: what processes have noted of durable handlers, held against each other."""

from __future__ import annotations

import itertools
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from ...store import Store
from ..harness.run import Run
from ..records.census import Delivery, census
from .answers import judge_answers
from .notes import Note, read
from .plan import CHANGED, COROUTINE, PLAIN, Plan, steps_of

# Of an attempt that ended so, the next may repeat what was not recorded.
_EXCUSED = frozenset({"lease_lost", "store_busy", "Cancelled", "CancelledError"})


def judge(run: Run, plans: Mapping[str, Plan], store: Store) -> None:
    """Judge all that handlers, answerers and the store say."""
    with census(run.folder / "store.db") as seen:
        deliveries = {each.id: each for each in seen.deliveries() if each.key in plans}
        rows = seen.rows("select delivery, step from effects")
        for wrong in [*seen.miscounted(), *([says] if (says := seen.verdict()) != "ok" else [])]:
            run.broken("integrity", wrong)
        run.checked("integrity")
        left = seen.left()
        run.check("no-record-left", not left, "; ".join(left[:3]))
    of: dict[int, list[Note]] = defaultdict(list)
    gone: set[str] = set()
    for note in read(run.folder):
        of[note.delivery].append(note)
        if note.what in ("killed", "stopped"):
            gone.add(note.process)
        elif note.what == "struck":
            gone.add(note.says)
    _judge_states(run, deliveries.values(), store)
    written = Counter((delivery, step) for delivery, step in rows)
    for id, delivery in deliveries.items():
        mine = sorted(of[id], key=lambda note: note.fence)
        told = f"d{id} of {delivery.queue}"
        _judge_outcomes(run, told, mine)
        _judge_effects(run, told, mine, gone)
        _judge_fences(run, told, mine)
        _judge_end(run, told, delivery, mine, written)
        if delivery.queue in (PLAIN, COROUTINE):
            judge_answers(run, told, mine)
    notes = [note for mine in of.values() for note in mine]
    _judge_errors(run, notes)
    counts = Counter(note.what for note in notes)
    run.figure("attempts", counts["try"])
    run.figure("answers", counts["answered"])
    run.fault("killed at a boundary", counts["killed"])
    run.says(
        f"{len(deliveries)} handlers in {counts['try']} attempts, {len(gone)} workers killed or"
        f" stopped, {counts['answered']} answers"
    )


def _judge_states(run: Run, deliveries: Iterable[Delivery], store: Store) -> None:
    for each in deliveries:
        if each.state != "dead":
            continue
        found = store.delivery(each.id)
        why = "" if found is None or found.error is None else found.error
        is_changed = each.queue == CHANGED and "was recorded by version" in why
        run.check("only-changed-dies", is_changed, f"d{each.id} of {each.queue} is dead: {why}")
    run.checked("only-changed-dies")


def _judge_outcomes(run: Run, told: str, mine: Sequence[Note]) -> None:
    first: dict[str, str] = {}
    for note in mine:
        if note.what == "got":
            was = first.setdefault(note.step, note.says)
            words = f"{told}: {note.step} was {was}, and then {note.says}"
            run.check("same-outcome", was == note.says, words)


def _judge_effects(run: Run, told: str, mine: Sequence[Note], gone: set[str]) -> None:
    """Hold each effect that was repeated against what became of the process before."""
    excused = {note.fence for note in mine if note.what == "failed" and note.says in _EXCUSED}
    known = {(note.fence, note.step) for note in mine if _shows_a_record(note)}
    known_before = {(n.fence, _named(n.step)) for n in mine if n.what == "record"}
    effects: dict[str, list[Note]] = defaultdict(list)
    for note in mine:
        if note.what == "effect":
            effects[note.step].append(note)
            words = f"{told}: {note.step} ran under fence {note.fence}, which had its record"
            run.check("steps-run-once", (note.fence, note.step) not in known_before, words)
    for step, found in effects.items():
        for one, other in itertools.pairwise(found):
            words = f"{told}: {step} ran under fence {one.fence}, and again under {other.fence}"
            run.check("steps-run-once", one.fence != other.fence, f"{words}: twice in one attempt")
            was_recorded = (one.fence, f"recorded {step}") in known or (one.fence, step) in known
            run.check("steps-run-once", not was_recorded, f"{words}, though it was recorded")
            died = one.process in gone or one.fence in excused
            run.check("steps-run-once", died, f"{words}, though nothing had hit {one.process}")


def _shows_a_record(note: Note) -> bool:
    return note.what == "got" or (note.what == "killed" and note.step.startswith("recorded "))


def _named(recorded: str) -> str:
    """Return what notes call a record of this name and occurrence."""
    name, _, occurrence = recorded.rpartition(" ")
    return f"g{int(occurrence) - 1}" if name == "g" else name


def _judge_fences(run: Run, told: str, mine: Sequence[Note]) -> None:
    """Hold each record against the claims: of its fence, and before the next."""
    tries = {note.fence: note.at_ms for note in mine if note.what == "try"}
    for note in mine:
        if note.what == "late":
            words = f"{told}: fence {note.fence} recorded a step after another had claimed it"
            run.check("stale-refused", note.says == "refused", words)
        elif note.what == "record":
            fence, at_ms = json.loads(note.says)
            words = f"{told}: {note.step} was recorded under fence {fence}"
            run.check("stale-refused", fence in tries, f"{words}, which was no claim")
            later = [at for other, at in tries.items() if other > fence]
            run.check("stale-refused", all(at_ms <= at for at in later), f"{words} too late")


def _judge_end(
    run: Run, told: str, delivery: Delivery, mine: Sequence[Note], written: Counter[tuple[int, str]]
) -> None:
    for step in ("t1", "t2"):
        count, must = written[delivery.id, step], step in steps_of(delivery.queue)
        once = count == 1 if must and delivery.state == "done" else count <= 1
        run.check("effects-once", once, f"{told}: {step} is {count} rows")
    if delivery.state == "done":
        got = {note.step for note in mine if note.what == "got"}
        missing = [step for step in steps_of(delivery.queue) if step not in got]
        run.check("no-step-skipped", not missing, f"{told} is done without {', '.join(missing)}")


def _judge_errors(run: Run, notes: Iterable[Note]) -> None:
    for note in notes:
        if note.what == "failed" and note.says not in (*_EXCUSED, "step_changed", "Retry"):
            run.broken("typed-errors", f"d{note.delivery} failed with {note.says}")
    run.checked("typed-errors")
