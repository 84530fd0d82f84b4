"""What every process asked for and what came back, each in a file of its own.

A line is on its way to the disk before the call it announces is made, and the kernel
keeps it when the process is killed. Times are nanoseconds of the boot clock, which all
processes of a machine share.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import msgspec

# "ok": it returned. "failed": it raised, and changed nothing. "unknown": it raised, or the
# process died, and nobody can say.
Outcome = Literal["ok", "failed", "unknown"]


class Line(msgspec.Struct, omit_defaults=True):
    """A line of a history: the beginning of a call, its end, or something seen."""

    at: int
    kind: Literal["began", "ok", "failed", "unknown", "seen"]
    call: int
    op: str = ""
    what: dict[str, Any] = {}


class Call(msgspec.Struct):
    """A call with its answer, or something seen, which has an answer only.

    Attributes:
        began, ended: Nanoseconds of the boot clock; `ended` of an unknown one is when its
            process was last known to live, None when that is not known either.
        what: The arguments.
        answer: What it returned; of a failure `error`, the error's code.
    """

    process: str
    op: str
    began: int
    ended: int | None
    outcome: Outcome
    what: dict[str, Any]
    answer: dict[str, Any]


class Recorder:
    """Writes one process's file. Threads of a process have one each."""

    def __init__(self, folder: Path, process: str) -> None:
        folder.mkdir(exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._fd = os.open(folder / f"{process}.jsonl", flags, 0o600)
        self._calls = 0

    def begin(self, op: str, **what: Any) -> Pending:
        """Announce a call; use the result as a context manager around it."""
        self._calls += 1
        self._write(Line(now_ns(), "began", self._calls, op, what))
        return Pending(self, self._calls)

    def seen(self, op: str, **what: Any) -> None:
        """Note something that is no call of the store's, or one whose beginning is no matter."""
        self._calls += 1
        self._write(Line(now_ns(), "seen", self._calls, op, what))

    def end(self, call: int, outcome: Outcome, answer: dict[str, Any]) -> None:
        """Note how a call ended."""
        self._write(Line(now_ns(), outcome, call, what=answer))

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)

    def _write(self, line: Line) -> None:
        os.write(self._fd, msgspec.json.encode(line) + b"\n")


class Pending:
    """A call that was announced. Leaving its block without `ok` notes the error in it."""

    def __init__(self, recorder: Recorder, call: int) -> None:
        self._recorder = recorder
        self._call = call
        self._answered = False

    def ok(self, **answer: Any) -> None:
        """Note what it returned."""
        self._answered = True
        self._recorder.end(self._call, "ok", answer)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None or self._answered:
            if not self._answered:
                self.ok()
            return
        code = getattr(error, "code", f"untyped {type(error).__name__}")
        outcome: Outcome = "failed" if code in _CHANGED_NOTHING else "unknown"
        facts = {
            name: getattr(error, name)
            for name in ("holder", "retry_after", "cause")
            if hasattr(error, name)
        }
        facts = {name: value for name, value in facts.items() if isinstance(value, str | float)}
        self._recorder.end(self._call, outcome, {"error": code, "says": str(error), **facts})


_CHANGED_NOTHING = frozenset(
    {
        "invalid_input",
        "key_conflict",
        "lease_held",
        "lease_lost",
        "limit_exceeded",
        "queue_full",
        "schema_unsupported",
        "store_busy",
        "store_full",
        "store_open_failed",
    }
)


def read(folder: Path) -> list[Call]:
    """Return the calls of all processes, in the order in which they began.

    A call without an end is unknown. A last line that was cut off with its process is left
    out.
    """
    calls = [call for path in sorted(folder.glob("*.jsonl")) for call in _read_one(path)]
    return sorted(calls, key=lambda call: call.began)


def _read_one(path: Path) -> Iterator[Call]:
    decode = msgspec.json.Decoder(Line).decode
    open_calls: dict[int, Call] = {}
    last = None
    for text in path.read_bytes().splitlines(keepends=True):
        if not text.endswith(b"\n"):
            break
        line = decode(text)
        last = line.at
        if line.kind == "seen":
            yield Call(path.stem, line.op, line.at, line.at, "ok", {}, line.what)
        elif line.kind == "began":
            open_calls[line.call] = Call(
                path.stem, line.op, line.at, None, "unknown", line.what, {}
            )
        else:
            call = open_calls.pop(line.call)
            call.ended, call.outcome, call.answer = line.at, line.kind, line.what
            yield call
    for call in open_calls.values():
        call.ended = last if last != call.began else None
        yield call


def now_ns() -> int:
    """Return the boot clock's time."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
