"""Runs an example that is a program: killed at each of its lines, then again to its end.

Called as program.py EXAMPLE FOLDER CHECK. For n = 1, 2, … a child runs the example in
FOLDER/n and is killed at its n-th step, up to the n for which it ends before that. Then
children run it there again, and CHECK after it, until both end with 0, because a lease of
the dead may have to end first. Prints how many steps there were.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

import fencepost  # noqa: F401 - before the first fork, so that no child has to
from fencepost.store.sqlite.session.transactions import Block

_PATIENCE_SECONDS = 60.0


def main(example: str, folder: str, check: str) -> None:
    """Kill at each step."""
    code = compile(Path(example).read_text(), example, "exec")
    checks = compile(check, "check", "exec")
    places = []
    for n in itertools.count(1):
        places.append(Path(folder, str(n)))
        places[-1].mkdir()
        if (ended := _child(places[-1], code, n)) != -signal.SIGKILL:
            assert ended == 0, "without a kill it fails"
            break
    deadline = time.monotonic() + _PATIENCE_SECONDS
    left = places
    while left := [
        place for place in left if _child(place, code, 0) != 0 or _child(place, checks, 0) != 0
    ]:
        assert time.monotonic() < deadline, f"another outcome in {[place.name for place in left]}"
        time.sleep(0.1)
    print(len(places) - 1)


def _child(place: Path, code: Any, kill_at: int) -> int:
    """Run the code in a child that is killed at a step, 0 for none; return its exit code."""
    sys.stdout.flush()
    child = os.fork()
    if not child:
        try:
            os.chdir(place)
            if kill_at:
                _kill_at(kill_at, code.co_filename)
            exec(code, {"__name__": "__main__"})  # noqa: S102 - an example of ours
            os._exit(0)
        except BaseException as error:  # noqa: BLE001 - told, and tried again
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _kill_at(left: int, example: str) -> None:
    def step() -> None:
        nonlocal left
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code.co_filename != example:
            return None
        if event in ("line", "return"):
            step()
        return trace

    commit = Block._commit

    def counted(block: Block) -> None:
        step()
        commit(block)
        step()

    Block._commit = counted  # type: ignore[method-assign,assignment]
    sys.settrace(trace)


if __name__ == "__main__":
    main(*sys.argv[1:])
