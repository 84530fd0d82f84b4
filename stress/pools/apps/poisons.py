"""The app of pools that are poisoned: handlers that end or hang their process, and others."""

from __future__ import annotations

import ctypes
import os
import re
import resource
import signal
import time
from collections import defaultdict, deque
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

from ....app import App, Context
from ....store import Message
from ..environment import plant_canary

TIMEOUT_SECONDS = 1.0
MAX_ATTEMPTS = 3
EATEN_MIB = 96

# By queue: what the error of the dead letter has to name.
FATAL = {"segfaults": "SIGSEGV", "aborts": "SIGABRT", "kills-itself": "SIGKILL", "eats": "SIGKILL"}

_ENDLESS = re.compile(r"(a+)+$")
_POLL_SECONDS = 0.005

app = App("store.db")


def _begun(message: Message) -> None:
    """Note it where no death of a process can take it back."""
    _append("begun", f"{message.key} {os.getpid()} {time.monotonic_ns()}\n")


def _append(name: str, text: str) -> None:
    fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def _wait_for(name: str) -> None:
    while not Path(name).exists():
        time.sleep(_POLL_SECONDS)


def _seconds(message: Message) -> float:
    return float(message.body)


@app.task("hangs", timeout=TIMEOUT_SECONDS, max_attempts=MAX_ATTEMPTS)
def hangs(message: Message, ctx: Context) -> None:
    """Never return, and never let go of the interpreter."""
    _begun(message)
    if ctx.attempt % 2:
        _ENDLESS.match("a" * 40 + "b")
    deque(repeat(None), maxlen=0)  # does not even look for signals


@app.task("waits")
def waits(message: Message, ctx: Context) -> None:
    """Take as long as the message says, politely."""
    _begun(message)
    time.sleep(_seconds(message))


@app.task("long", max_attempts=MAX_ATTEMPTS)
def long(message: Message, ctx: Context) -> None:
    """Hold the interpreter for several leases; nobody has said that it may not."""
    _begun(message)
    ctypes.PyDLL(None).usleep(int(_seconds(message) * 1e6))


@app.task("short")
def short(message: Message, ctx: Context) -> None:
    """Be one of the others."""
    time.sleep(_seconds(message))
    _append("handled", f"{message.key}\n")


# Each kill takes an attempt.
@app.task("gated", max_attempts=1_000_000)
def gated(message: Message, ctx: Context) -> None:
    """Take until it may end; the kills in between come from outside."""
    _begun(message)
    _wait_for("go")
    _append("handled", f"{message.key}\n")


@app.task("segfaults")
def segfaults(message: Message, ctx: Context) -> None:
    """Read where nothing is."""
    _begun(message)
    ctypes.string_at(0)


@app.task("aborts")
def aborts(message: Message, ctx: Context) -> None:
    """Be ended by the C library."""
    _begun(message)
    os.abort()


@app.task("kills-itself")
def kills_itself(message: Message, ctx: Context) -> None:
    """Do what nothing can be noted of."""
    _begun(message)
    signal.raise_signal(signal.SIGKILL)


@app.task("eats")
def eats(message: Message, ctx: Context) -> None:
    """Take memory until it is killed as the kernel kills who takes too much."""
    _begun(message)
    eaten = b"x" * EATEN_MIB * 2**20
    assert eaten
    signal.raise_signal(signal.SIGKILL)


class Begun(NamedTuple):
    """A try at a message, by the process that made it; seconds of the monotonic clock."""

    pid: int
    at: float


def begun(folder: Path) -> dict[str, list[Begun]]:
    """Return the tries at each message that handlers have noted in a folder, in their order."""
    found: dict[str, list[Begun]] = defaultdict(list)
    path = folder / "begun"
    for line in path.read_text().splitlines() if path.exists() else ():
        key, pid, at = line.split()
        found[key].append(Begun(int(pid), int(at) / 1e9))
    return found


resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
plant_canary()
