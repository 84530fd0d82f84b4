"""The app of pools whose handlers know nothing of Fencepost, and treat the process as theirs."""

from __future__ import annotations

import contextlib
import gc
import locale
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from ....app import App, Context
from ....store import Message
from ..environment import plant_canary

TIMEOUT_SECONDS = 2.0
# So often a message is rude; from then on it is polite, so that it comes to its end.
RUDE_ATTEMPTS = 2
_HERE = Path.cwd()
_MANY = 1_000_000

app = App("store.db")


def _note(name: str, text: str) -> None:
    fd = os.open(_HERE / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, f"{text}\n".encode())
    finally:
        os.close(fd)


def _close_streams() -> None:
    sys.stdout.close()
    sys.stderr.close()
    os.closerange(0, 3)


def _open_store() -> None:
    with contextlib.suppress(Exception), contextlib.closing(sqlite3.connect("store.db")) as other:
        other.execute("select count(*) from fp_delivery").fetchall()


def _ignore_signals() -> None:
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        with contextlib.suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_IGN)


def _leave_threads_of_output() -> None:
    subprocess.Popen(["sh", "-c", "printf half-a-line >&2; sleep 0.01; echo rest >&2"])


def _hang_with_child(key: str) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(120)", "RUDE"], start_new_session=True
    )
    _note(f"children-{key}", str(child.pid))
    time.sleep(1000)


def _raise(error: BaseException) -> None:
    raise error


MILD: dict[str, Callable[[], object]] = {
    "chdir": lambda: os.chdir("/"),
    "umask": lambda: os.umask(0),
    "environment": os.environ.clear,
    "locale": lambda: locale.setlocale(locale.LC_ALL, "C"),
    "signals": _ignore_signals,
    "mask": lambda: signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals()),
    "alarm": lambda: signal.setitimer(signal.ITIMER_REAL, 0.2),
    "limits": lambda: resource.setrlimit(
        resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    ),
    "gc": gc.disable,
    "recursion": lambda: sys.setrecursionlimit(120),
    "warnings": lambda: warnings.simplefilter("error"),
    "streams": _close_streams,
    "half a line": lambda: os.write(2, b"half a line"),
    "bytes": lambda: os.write(2, b"\xff\xfe{\n"),
    "output": _leave_threads_of_output,
    "sqlite3": _open_store,
}
RAISING: dict[str, Callable[[], object]] = {
    "fails": lambda: 1 / 0,
    "exits": lambda: sys.exit(3),
    "interrupts": lambda: _raise(KeyboardInterrupt()),
}
FATAL: dict[str, Callable[[], object]] = {
    "leaves": lambda: os._exit(0),
    "aborts": os.abort,
    "kills its group": lambda: os.killpg(0, signal.SIGKILL),
}
HANGS = "hangs with a child"
_ACTS = {**MILD, **RAISING, **FATAL}


def _look() -> tuple[object, ...]:
    mask = os.umask(0o077)
    os.umask(mask)
    return (
        os.getcwd(),
        mask,
        sorted(os.environ),
        locale.setlocale(locale.LC_ALL),
        sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
        resource.getrlimit(resource.RLIMIT_NOFILE),
        gc.isenabled(),
        sys.getrecursionlimit(),
        sys.stdout.closed,
        [os.path.exists(f"/proc/self/fd/{fd}") for fd in range(3)],
    )


_first: list[tuple[object, ...]] = []


def _begin(message: Message) -> None:
    now = _look()
    if not _first:
        _first.append(now)
    if now != _first[0]:
        _note("differs", f"{message.key}: {now} is not {_first[0]}")


def _be_rude(message: Message, ctx: Context) -> None:
    if ctx.attempt <= RUDE_ATTEMPTS:
        for name in message.text().split(","):
            if name == HANGS:
                _hang_with_child(message.key or "")
            else:
                _ACTS[name]()


def _look_for_children(key: str) -> None:
    """Note those that an attempt before has left."""
    path = _HERE / f"children-{key}"
    for pid in map(int, path.read_text().split()) if path.exists() else ():
        with contextlib.suppress(OSError, IndexError):
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            if state not in "ZX" and b"RUDE" in Path(f"/proc/{pid}/cmdline").read_bytes():
                _note("overlaps", f"{key}: {pid}")


@app.task("plain", timeout=TIMEOUT_SECONDS, backoff=0.05, max_attempts=_MANY, max_crashes=_MANY)
def plain(message: Message, ctx: Context) -> None:
    """Be rude, and then be done."""
    _begin(message)
    assert message.key is not None
    _look_for_children(message.key)
    _be_rude(message, ctx)
    _note("handled", message.key)


@app.task("fenced", timeout=TIMEOUT_SECONDS, backoff=0.05, max_attempts=_MANY, max_crashes=_MANY)
def fenced(message: Message, ctx: Context) -> None:
    """Be rude within the transaction."""
    _begin(message)
    with ctx.transaction() as tx:
        tx.execute("insert into effects values (?)", (message.key,))
        _be_rude(message, ctx)


plant_canary()
