"""What a handler does to its process, the next one in it does not see, nor the worker."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest

from ..processes import PATIENCE_SECONDS, running, wait_until
from .conftest import Site
from .rude_handlers import HANDLERS, RUDE

_RUN_BY_OS = """

def run_by_os(command):
    os.system(command + f" > {here}/said")
    return (here / "said").read_text()
"""


@pytest.fixture
def rude(site: Site) -> Site:
    """A site whose handlers do what they are told."""
    with (site.folder / "app.py").open("a") as file:
        file.write(HANDLERS + _RUN_BY_OS)
    return site


# PROCESS-4, PROCESS-5
@pytest.mark.parametrize("queue", ["plain", "coroutine-alone"])
def test_the_next_handler_finds_what_the_one_before_did(rude: Site, queue: str) -> None:
    rude.store.queue(queue).enqueue(b"", key="first")
    for name in RUDE:
        rude.store.queue(queue).enqueue(name.encode(), key=f"rude {name}")
        rude.store.queue(queue).enqueue(b"", key=name)

    with running(rude.work("--drain", "--workers", "1"), cwd=rude.folder) as pool:
        said, _ = pool.communicate(timeout=PATIENCE_SECONDS)

    def seen(name: str) -> Any:
        return json.loads((rude.folder / f"seen-{name}").read_text())

    assert rude.store.queue(queue).stats().done == 2 * len(RUDE) + 1
    before = seen("first")
    differing = {
        name: {what: (is_, before[what]) for what, is_ in seen(name).items() if is_ != before[what]}
        for name in RUDE
    }
    assert {name: found for name, found in differing.items() if found} == {}
    assert [line for line in said.splitlines() if line.startswith("seen")] == [
        f"seen {name}" for name in ("first", *RUDE)
    ]
    told = (rude.folder / "stderr").read_text()
    assert '"changed": "the umask"' in told
    assert '"changed": "the working directory"' in told


def _pid(site: Site, key: str) -> int:
    file = site.folder / f"pid-{key}"
    return int(file.read_text() or 0) if file.exists() else 0


# PROCESS-6
@pytest.mark.parametrize(
    "code",
    [
        "resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))",
        "signal.signal(signal.SIGUSR1, signal.SIG_IGN)",
        "os.setuid(65534) if not os.getuid() else resource.setrlimit(resource.RLIMIT_CORE, (0, 0))",
    ],
)
def test_another_worker_takes_over_where_something_cannot_be_put_back(
    rude: Site, code: str
) -> None:
    rude.store.queue("rude").enqueue(code.encode(), key="rude")
    rude.store.queue("rude").enqueue(b"pass", key="next")

    said = rude.drain()

    assert rude.store.queue("rude").stats().done >= 1
    assert 0 != _pid(rude, "next") != _pid(rude, "rude")
    assert "the handler changed the state of its process" in said


# PROCESS-7
def test_programs_that_handlers_start_have_signals_as_any_other_has(rude: Site) -> None:
    look = (
        "import subprocess\n"
        "for how in (subprocess.getoutput, lambda c: os.popen(c).read(), run_by_os):\n"
        "    said = how('grep -E \"Sig(Blk|Ign)\" /proc/self/status')\n"
        "    with (here / 'signals').open('a') as file: print(*said.split(), file=file)\n"
    )
    rude.store.queue("rude").enqueue(look.encode())

    with running(
        ["-c", IGNORING, *rude.work("--drain", "--workers", "1")[1:]], cwd=rude.folder
    ) as pool:
        assert pool.wait(PATIENCE_SECONDS) == 0

    of_the_c_library = 1 << 31 | 1 << 32
    said = [line.split()[1::2] for line in (rude.folder / "signals").read_text().splitlines()]
    assert [[int(mask, 16) & ~of_the_c_library for mask in masks] for masks in said] == [[0, 0]] * 3


# As under nohup, or in the background of a shell script.
IGNORING = """
import os, signal, sys
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
    signal.signal(number, signal.SIG_IGN)
os.execv(sys.executable, [sys.executable, "-m", *sys.argv[1:]])
"""


# PROCESS-7
def test_a_process_that_a_handler_forks_can_be_ended_by_a_signal(rude: Site) -> None:
    code = (
        "import multiprocessing\n"
        "for _ in range(50):\n"  # the signal comes at any moment of the child's first ones
        "    child = multiprocessing.get_context('fork').Process(target=time.sleep, args=(60,))\n"
        "    child.start(); child.terminate(); child.join()\n"
        "    assert child.exitcode == -signal.SIGTERM, child.exitcode\n"
    )
    rude.store.queue("rude").enqueue(code.encode())

    rude.drain()

    assert rude.store.queue("rude").stats().done == 1


# PROCESS-8
@pytest.mark.parametrize("number", ["SIGINT", "SIGHUP", "SIGTERM"])
def test_a_handler_that_signals_its_process_group_ends_no_pool(rude: Site, number: str) -> None:
    code = f"os.killpg(0, signal.{number}); os.kill(0, signal.{number})"
    rude.store.queue("rude").enqueue(code.encode(), key="rude")
    rude.store.queue("rude").enqueue(b"pass", key="next")

    rude.drain()

    assert rude.store.queue("rude").stats().done == 2


# PROCESS-8
def test_a_handler_that_kills_its_process_group_kills_its_worker_alone(rude: Site) -> None:
    code = b"os.killpg(0, signal.SIGKILL) if ctx.attempt == 1 else None"
    rude.store.queue("rude").enqueue(code, key="rude")

    said = rude.drain()

    assert rude.store.queue("rude").stats().done == 1
    assert "was killed by SIGKILL" in said


# PROCESS-9
@pytest.mark.parametrize("code", ["signal.signal(signal.SIGTERM, signal.SIG_IGN)", "pass"])
def test_a_worker_ends_in_good_order_though_its_handler_ignored_the_signal(
    rude: Site, code: str
) -> None:
    with running(rude.work("--workers", "1", "--grace", "60"), cwd=rude.folder) as pool:
        rude.store.queue("rude").enqueue(f"{code}\nwait_for('go')".encode(), key="rude")
        wait_until(lambda: _pid(rude, "rude"), "the handler to begin")
        pool.terminate()
        wait_until(lambda: "stopping" in (rude.folder / "stderr").read_text(), "the pool to stop")
        (rude.folder / "go").touch()
        assert pool.wait(PATIENCE_SECONDS) == 0

    assert rude.store.queue("rude").stats().done == 1
    assert "SIGKILL" not in (rude.folder / "stderr").read_text()


# PROCESS-10
def test_what_a_handler_prints_is_there_when_its_worker_is_killed(rude: Site) -> None:
    code = b"print('printed'); os.kill(os.getpid(), signal.SIGKILL) if ctx.attempt == 1 else None"
    rude.store.queue("rude").enqueue(code)
    rude.store.queue("rude").enqueue(b"print('unfinished', end=''); os.fork() or os._exit(0)")

    with running(rude.work("--drain", "--workers", "1"), cwd=rude.folder) as pool:
        said, _ = pool.communicate(timeout=PATIENCE_SECONDS)

    assert said.count("printed\n") == 2
    assert "unfinished" in said


# PROCESS-11
def test_a_pool_replaces_workers_when_its_working_directory_has_been_deleted(rude: Site) -> None:
    here = rude.folder / "here"
    here.mkdir()
    with running(rude.work("--workers", "1"), cwd=here) as pool:
        shutil.rmtree(here)
        rude.store.queue("rude").enqueue(b"if ctx.attempt == 1: os._exit(3)", key="crash")
        queue = rude.store.queue("rude")
        wait_until(lambda: queue.stats().done == 1, "another worker to do it")
        pool.terminate()
        assert pool.wait(PATIENCE_SECONDS) == 0
