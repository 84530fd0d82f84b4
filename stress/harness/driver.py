"""The process that one run of a scenario has to itself."""

from __future__ import annotations

import os
import shutil
import signal
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

from ..records.invariants import INVARIANTS
from ..records.report import Result
from .child_processes import Child
from .faults import plant
from .forkserver import Forkserver
from .run import Run
from .scenario import Scenario

# A progress message is sent no more often, so that the pipe cannot fill.
_EVERY_SECONDS = 0.1


def drive(
    line: int,
    scenario: Scenario,
    result: Result,
    folder: Path,
    size: Mapping[str, float],
    canary: str | None,
) -> None:
    """Run a scenario; send ("progress", done, words) meanwhile and ("result", Result) at last."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.umask(0o077)
    last, told = 0.0, Connection(line)

    def tell(done: float, words: str) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _EVERY_SECONDS:
            last = now
            told.send(("progress", done, words))

    folder.mkdir(mode=0o700)
    began = time.monotonic()
    with Forkserver.fork() as forkserver:
        if canary is not None:
            plant(canary)
        run = Run(
            result,
            folder,
            size,
            forkserver=forkserver,
            invariants={**INVARIANTS, **scenario.invariants},
            canary=canary,
            on_progress=tell,
        )
        perform(scenario, run)
    result.seconds = time.monotonic() - began
    if result.ok or canary is not None:
        shutil.rmtree(folder, ignore_errors=True)
    told.send(("result", result))


def perform(scenario: Scenario, run: Run) -> None:
    """Run a scenario in this process, and end whatever it has left running."""
    try:
        scenario.run(run)
    except Exception:  # noqa: BLE001 - whatever it is, it is a finding
        run.broken("runs-through", f"the scenario ended with\n{traceback.format_exc()}")
    finally:
        for child in run.children:
            _end(run, child)


def _end(run: Run, child: Child) -> None:
    """Kill a child that still runs; one that has ended by an error of its own is a finding."""
    code = child.exit_code
    if code is None:
        with suppress(Exception):
            child.kill()
    elif code > 0:
        run.broken("runs-through", f"{child.name} ended with {code}: {child.complaint()}")
