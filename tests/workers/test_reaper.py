"""Children of the supervisor that it has not started: which are waited for, and which not."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import pytest

from fencepost.linux.parentage import subreaper
from fencepost.linux.reaper import Reaper
from fencepost.workers.process.app.app_code import AppCode
from fencepost.workers.process.app.app_process import AppSpec
from fencepost.workers.process.forkserver import ForkServer
from fencepost.workers.process.managed_process import End, Role
from fencepost.workers.process.role_group import RoleGroup
from fencepost.workers.process.shared_page import Work

from ..processes import is_gone, wait_until

CODE = AppCode(ForkServer(), AppSpec(print, main=False, store="", queues=None, seconds=60))


def test_an_orphan_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    reaper = Reaper()
    code = "import os; pid = os.fork(); print(pid, flush=True) if pid else os._exit(3)"
    with subreaper():
        parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        with parent:
            assert parent.stdout is not None
            orphan = int(parent.stdout.readline())
        wait_until(lambda: is_gone(orphan), "it has ended")
        reaper.reap([])

    with pytest.raises(ChildProcessError):
        os.waitpid(orphan, 0)


def test_what_another_thread_has_started_keeps_its_exit_code() -> None:
    reaper, begun, reaped = Reaper(), threading.Event(), threading.Event()
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
    reaper.reap([])
    reaped.set()
    thread.join()

    assert codes == [7]


def test_what_a_thread_that_has_ended_had_started_keeps_its_exit_code() -> None:
    reaper = Reaper()
    begun: list[subprocess.Popen[bytes]] = []
    seen = threading.Event()

    def work() -> None:
        code = "import sys; sys.stdin.read(); raise SystemExit(7)"
        begun.append(subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE))
        seen.wait()

    thread = threading.Thread(target=work)
    thread.start()
    wait_until(lambda: begun, "it has begun")
    reaper.reap([])
    seen.set()
    thread.join()
    with begun[0] as process:
        assert process.stdin is not None
        process.stdin.close()
        wait_until(lambda: is_gone(process.pid), "it has ended")
        reaper.reap([])
        assert process.wait() == 7


def test_after_a_thousand_early_deaths_in_a_row_the_next_is_started_all_the_same() -> None:
    class Member:
        ready = True
        leaving = False
        started = time.monotonic()

    group = RoleGroup(Role("worker", print), 1, CODE, start_seconds=60)
    for _ in range(1100):
        end = End("", signal=9, code=0, by_supervisor=False, work=Work(claims=1))
        group._judge(Member(), end)  # type: ignore[arg-type]

    assert time.monotonic() < group.start_at <= time.monotonic() + 1


def test_who_has_nothing_left_to_do_and_does_not_end_is_killed() -> None:
    class Member:
        over_at: float | None = -10.0
        waiting = False
        why = ""

        def kill(self, why: str) -> None:
            self.why = why

    group, member = RoleGroup(Role("worker", print), 1, CODE, start_seconds=60), Member()
    group._members.append(member)  # type: ignore[arg-type]

    group.enforce_times()

    assert "did not end" in member.why
