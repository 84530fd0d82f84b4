"""What each answer says by itself."""

from __future__ import annotations

from collections.abc import Sequence

from ..records.history import Call
from .verdict import Verdict


def check(calls: Sequence[Call], verdict: Verdict) -> None:
    """Check errors, snapshots and what independent looks at the file said."""
    for call in calls:
        if "error" in call.answer:
            _error(call, verdict)
        elif call.op == "snapshot":
            rows, cap = call.answer["rows"], call.answer["cap"]
            of = call.answer["of"]
            verdict.check("caps-hold", rows <= cap, f"{of} has {rows} rows, its cap is {cap}")
        elif call.op == "integrity":
            says = call.answer["says"]
            verdict.check("integrity", says == "ok", f"the database is not whole: {says}")


def _error(call: Call, verdict: Verdict) -> None:
    error = call.answer["error"]
    verdict.check(
        "typed-errors",
        not error.startswith("untyped "),
        f"{call.process}: {call.op} raised {error}: {call.answer.get('says')}",
    )
