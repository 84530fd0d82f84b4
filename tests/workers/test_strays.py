"""Children of the supervisor that it has not started: which are waited for, and which not."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from fencepost.workers.crew import Crew
from fencepost.workers.incarnation import Role
from fencepost.workers.orphan import adopting
from fencepost.workers.strays import Strays
from fencepost.workers.template import Template

from ..processes import is_gone, wait_until


def test_an_orphan_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    strays = Strays()
    code = "import os; pid = os.fork(); print(pid, flush=True) if pid else os._exit(3)"
    with adopting():
        parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        with parent:
            assert parent.stdout is not None
            orphan = int(parent.stdout.readline())
        wait_until(lambda: is_gone(orphan), "it has ended")
        strays.reap([])

    with pytest.raises(ChildProcessError):
        os.waitpid(orphan, 0)


def test_what_another_thread_has_started_keeps_its_exit_code() -> None:
    strays, begun, reaped = Strays(), threading.Event(), threading.Event()
    codes: list[int] = []

    def work() -> None:
        process = subprocess.Popen([sys.executable, "-c", "raise SystemExit(7)"])
        wait_until(lambda: is_gone(process.pid), "it has ended")
        begun.set()
        reaped.wait()
        codes.append(process.wait())

    thread = threading.Thread(target=work)
    thread.start()
    begun.wait()
    strays.reap([])
    reaped.set()
    thread.join()

    assert codes == [7]


def test_who_has_nothing_left_to_do_and_does_not_end_is_killed() -> None:
    class Member:
        over_at: float | None = -10.0
        waiting = False
        why = ""

        def kill(self, why: str) -> None:
            self.why = why

    crew, member = Crew(Role("worker", print), 1, Template(), start_seconds=60), Member()
    crew._members.append(member)  # type: ignore[arg-type]

    crew.enforce_times()

    assert "did not end" in member.why
