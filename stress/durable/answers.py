"""Whether answerers were told what handlers have seen."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

from ..harness.run import Run
from .notes import Note
from .plan import ANSWER


def judge_answers(run: Run, told: str, notes: Sequence[Note]) -> None:
    """Hold what answerers of a delivery were told against each other, its handler and the clock."""
    seen = {note.says for note in notes if note.what == "got" and note.step == ANSWER}
    deadlines = {int(note.says) for note in notes if note.what == "deadline"}
    done = min((note.at_ms for note in notes if note.what == "done"), default=None)
    open_ = Counter(note.says for note in notes if note.what == "answering")
    open_.subtract(json.loads(note.says)[1] for note in notes if note.what == "answered")
    # Who answered may have died before it was told.
    accepted = {value for value in seen if open_[value] > 0}
    maybe = {value for value, times in open_.items() if times > 0}
    for note in notes:
        if note.what != "answered":
            continue
        status, value, before_ms = json.loads(note.says)
        words = f"{told}: {value} was {status} between {before_ms} and {note.at_ms} ms"
        if status == "accepted":
            accepted.add(value)
            late = any(before_ms >= deadline for deadline in deadlines)
            run.check("answers-agree", not late, f"{words}, after {deadlines}")
        elif status == "gone":
            early = all(note.at_ms < deadline for deadline in deadlines) and deadlines
            going = done is None or note.at_ms < done
            run.check("answers-agree", not (early and going), f"{words}, before {deadlines}")
        elif status == "unknown":
            run.broken("answers-agree", words)
    for note in notes:
        if note.what == "answered" and json.loads(note.says)[0] in ("duplicate", "conflict"):
            status, value, _ = json.loads(note.says)
            others = accepted | maybe
            right = value in others if status == "duplicate" else bool(others - {value})
            run.check("answers-agree", right, f"{told}: {value} was a {status}: {accepted}")
    run.check("answers-agree", len(accepted) <= 1, f"{told}: {accepted} were all accepted")
    if not seen:
        return
    expected = accepted or {repr("timeout")}
    run.check("answers-agree", seen == expected, f"{told} saw {seen}, and accepted was {accepted}")
