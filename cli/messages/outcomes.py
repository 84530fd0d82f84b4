"""What has become of what was replayed, cancelled or moved, in words."""

from __future__ import annotations

from collections import Counter

import click

from ...store.types.delivery import Outcome
from . import ids
from .ids import Id

_WHY = {
    "active": "it is ready",
    "sleeping": "its handler sleeps or waits, and goes on by itself (`fencepost resume` answers it)",
    "completed": "it is done",
    "already_cancelled": "it is cancelled",
    "not_found": "there is no such delivery",
    "unrecoverable": "it is done and its body is gone (keep_body_for= on a source, handler or"
    " queue keeps bodies)",
    "no_such_step": "it has recorded no step of that name",
    "present": "its message or its key is in that queue already",
    "routed": "it has been routed",
    "kept": "a route of it is off (`fencepost routes on` turns it on)",
}


def told(named: Id, outcome: Outcome, verb: str) -> bool:
    """Print what was done to one of them, or why it was not; True if it was."""
    if outcome.kind == "copied":
        new = f"{ids.delivery(outcome.delivery)} (message {ids.message(outcome.message)})"
        click.echo(f"copied {named} as {new}")
    elif outcome:
        click.echo(f"{outcome.kind} {named}")
    else:
        click.echo(f"Error: cannot {verb} {named}: {refusal(outcome)}", err=True)
    return bool(outcome)


def said(done: str, kinds: Counter[str]) -> str:
    """Return what was done; print on stderr what was not, and why."""
    for kind, count in kinds.items():
        if not Outcome(kind):  # type: ignore[arg-type]
            why = "it is leased" if kind == "claimed" else _WHY[kind]
            click.echo(f"left {count}: {why}", err=True)
    copied = kinds["copied"]
    if copied and not kinds[done]:
        return f"copied {copied}"
    return f"{done} {kinds[done]}" + f", copied {copied}" * bool(copied)


def moved(kinds: Counter[str]) -> str:
    """Return how many were moved, and how many were left."""
    line = f"moved {kinds['moved']}"
    if kinds["claimed"]:
        line += f", left {kinds['claimed']} that are leased"
    if kinds["present"]:
        line += f", left {kinds['present']} whose message or key is there already"
    return line


def refusal(outcome: Outcome) -> str:
    """Return why nothing was done."""
    if outcome.kind == "claimed":
        return f"it is leased by process {outcome.holder}"
    return _WHY[outcome.kind]
