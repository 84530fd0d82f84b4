"""Bulk operations on deliveries: batches, rate, progress, Ctrl-C."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import click

from ..._interrupt import CODE
from ...store.errors import FencepostError
from ...store.types.delivery import Outcome
from ..output import plain

# So many in a transaction, so that other writers do not wait long.
BATCH = 500
_A_SECOND = 5  # batches, when there is a rate
_NAMED = 5  # queues


@dataclass(slots=True)
class Work:
    """The deliveries to change, and the outcomes so far."""

    ids: Sequence[int]
    change: Callable[[Sequence[int]], list[Outcome]]
    rate: float | None = None
    kinds: Counter[str] = field(default_factory=Counter)

    @property
    def tried(self) -> int:
        """The number of deliveries that have been tried."""
        return self.kinds.total()

    def run(self) -> bool:
        """Change all of them, oldest first; return False if Ctrl-C ended it early.

        The current batch is always finished, so the outcomes are complete.
        """
        size = BATCH
        if self.rate is not None:
            size = max(1, min(BATCH, int(self.rate / _A_SECOND)))
        with _interrupted() as stop:
            began = time.monotonic()
            for start in range(0, len(self.ids), size):
                if self.rate is not None:
                    stop.wait(max(0.0, began + start / self.rate - time.monotonic()))
                if stop.is_set():
                    return False
                outcomes = self.change(self.ids[start : start + size])
                self.kinds.update(outcome.kind for outcome in outcomes)
                self._show_progress()
        return True

    def _show_progress(self) -> None:
        if sys.stderr.isatty() and len(self.ids) > BATCH:
            end = "\r" if self.tried < len(self.ids) else "\n"
            click.echo(f"{self.tried} of {len(self.ids)}{end}", nl=False, err=True)


def do(work: Work, say: Callable[[Counter[str]], str]) -> None:
    """Run the work, and print its outcome however it ends."""
    finished = False
    try:
        finished = work.run()
    except FencepostError:
        if work.tried:
            click.echo(say(work.kinds))
        raise
    click.echo(say(work.kinds))
    if not finished:
        left = len(work.ids) - work.tried
        click.echo(f"Interrupted after {work.tried}; {left} were not changed.", err=True)
        sys.exit(CODE)


def agreed(verb: str, queues: Iterable[str], *, yes: bool) -> bool:
    """Ask on a terminal whether so many deliveries may be changed; True if they may."""
    counts = Counter(queues)
    if yes or not counts or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return True
    many = counts.total()
    named = [f"{plain(queue)} ({count})" for queue, count in counts.most_common(_NAMED)]
    if len(counts) > _NAMED:
        named.append(f"{len(counts) - _NAMED} more")
    what = "1 delivery" if many == 1 else f"{many} deliveries"
    of = "queue" if len(counts) == 1 else "queues"
    if click.confirm(f"This will {verb} {what} of {of} {', '.join(named)}. Go on?"):
        return True
    click.echo("Nothing was changed.")
    return False


@contextlib.contextmanager
def _interrupted() -> Iterator[threading.Event]:
    """Let the first Ctrl-C set an event; a second one ends the program as usual."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before: Any = signal.getsignal(signal.SIGINT)

    def note(number: int, frame: FrameType | None) -> None:
        stop.set()
        signal.signal(signal.SIGINT, before)

    if before is signal.SIG_IGN:
        yield stop
        return
    signal.signal(signal.SIGINT, note)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
