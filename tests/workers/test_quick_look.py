"""The quick look between two handlers of a batch, and the full look at the end of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from ..processes import PATIENCE_SECONDS, running, wait_until
from .conftest import Site
from .rude_handlers import HANDLERS, RUDE

# Of the handler's context, not of the process.
_NOT_OF_THE_PROCESS = {"context", "decimal"}

_LOOKS = """
import contextvars, ctypes, decimal, gc, json, locale, os, resource, signal, sys, threading, time, warnings
from fencepost.workers.worker.state.quick_look import QuickLook

CATCHABLE = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGUSR1}
FILES = resource.getrlimit(resource.RLIMIT_NOFILE)
reading, writing = os.pipe()
os.set_blocking(writing, False)
signal.set_wakeup_fd(writing)
os.environ["HOME"] = "/"


def seen(code):
    child = os.fork()
    if not child:
        look = QuickLook()
        if not (look.same() and look.same()):
            os._exit(2)
        try:
            exec(code, globals())
        finally:
            os._exit(1 if look.same() else 0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


print(json.dumps({name: seen(code) for name, code in json.loads(sys.argv[1]).items()}))
"""


# PROCESS-4
def test_what_python_changes_in_the_process_is_seen_at_a_quick_look(tmp_path: Path) -> None:
    rude = {name: code for name, code in RUDE.items() if name not in _NOT_OF_THE_PROCESS}
    if os.geteuid():
        del rude["effective user"]
    rude["group"] = "os.setegid(65534) if not os.geteuid() else os.umask(0)"
    rude["found in C"] = "ctypes.CDLL(None).chdir(b'/')"

    said = subprocess.run(
        [sys.executable, "-c", _LOOKS, json.dumps({**rude, "nothing": "pass"})],
        cwd=tmp_path,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        check=True,
    ).stdout

    assert json.loads(said) == {**dict.fromkeys(rude, 0), "nothing": 1}


# PROCESS-17
def test_what_code_in_c_changes_by_itself_is_reset_after_the_batch(site: Site) -> None:
    with (site.folder / "app.py").open("a") as file:
        file.write(HANDLERS)
        file.write("chdir = ctypes.CDLL(None).chdir\nRUDE['in C'] = 'chdir(b\"/\")'\n")
    queue = site.store.queue("plain")

    def over() -> bool:
        stats = queue.stats()
        return stats.ready == stats.leased == 0

    with running(site.work("--workers", "1"), cwd=site.folder) as pool:
        # What is done was acknowledged after its batch, so the last look is of another one.
        for bodies in {"0": b""}, dict.fromkeys("1234", b"in C"), {"5": b""}:
            queue.enqueue_many({"body": body, "key": key} for key, body in bodies.items())
            wait_until(over, "the batch to be done")
        pool.terminate()
        assert pool.wait(PATIENCE_SECONDS) == 0

    first, last = (json.loads((site.folder / f"seen-{n}").read_text()) for n in (0, 5))
    assert last == first
    assert '"changed": "the working directory"' in (site.folder / "stderr").read_text()
