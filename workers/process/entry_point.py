"""Entry point of a pool process: it reads what to run from a pickle, and runs it."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from multiprocess import process, spawn
from multiprocess.connection import Connection
from multiprocess.reduction import ForkingPickler

from ...linux import signal_handlers
from ...linux.parentage import die_with_parent
from ...linux.process_name import show_role
from ...log import foreign_lines
from ...log.stdout import discard_unread
from . import descendants
from .shared_page import SharedPage

# A terminal sends these to all processes, and the supervisor answers them. A write to a pipe
# that nobody reads should raise an error. None is SIG_IGN, because programs that handlers
# start would inherit that.
_NOT_FOR_US = (
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGTSTP,
    signal.SIGTTIN,
    signal.SIGTTOU,
    signal.SIGPIPE,
    signal.SIGXFSZ,
)


def dump(
    role: str, entry: Callable[..., None], arguments: tuple[object, ...], *, main: bool
) -> bytes:
    """Return the pickle with which `enter` calls entry(line, page, parent, *arguments, *fds).

    `main`: the arguments may need what the program's own main module defines.
    """
    preparation = {**_preparation(), "name": f"{_OURS}{role}"}
    if not main:
        preparation = {
            key: value for key, value in preparation.items() if not key.startswith("init_main")
        }
    # Two pickles: the inner one can be read only after the outer one has been applied.
    call = bytes(ForkingPickler.dumps((entry, arguments)))
    return bytes(ForkingPickler.dumps((preparation, call)))


_OURS = "fencepost-"  # the names of multiprocess
_prepared: dict[str, Any] = {}


def _preparation() -> dict[str, Any]:
    """Describe this process to a new one; the last description if the working folder is gone."""
    with contextlib.suppress(FileNotFoundError):
        _prepared.update(spawn.get_preparation_data(""))
        del _prepared["authkey"]  # a secret, and nothing needs it
        del _prepared["dir"]  # inherited; it may be gone
    return _prepared


def enter(parent: int, fds: list[int], *, prepared: bool = False) -> None:
    """Run what the descriptors say, until the process ends.

    They are: the pickle, the line to the supervisor, the shared page, the pipe for stacks at
    SIGUSR1, what becomes stderr, and those of the role.
    """
    die_with_parent(parent)
    os.setsid()  # a handler's killpg, or a Ctrl-C, hits this process and its children, or none
    descendants.mark()
    description, line, page, stacks, stderr, *others = fds
    os.dup2(stderr, 2)
    os.close(stderr)
    faulthandler.register(signal.SIGUSR1, file=stacks, all_threads=True)
    isolate()
    entry, arguments = load(description, prepared=prepared)
    entry(Connection(line), SharedPage(page), parent, *arguments, *others)


def report(line: Connection, word: bytes) -> None:
    """Say something to the supervisor; exit if it has hung up.

    It hangs up if the process that forked this one was killed before it could report the fork.
    """
    try:
        line.send_bytes(word)
    except ConnectionError:
        os._exit(0)


def isolate() -> None:
    """Leave a terminal's signals to the supervisor, unblock the others, and read no input."""
    _answer_signals()
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    _read_nothing()
    discard_unread()
    foreign_lines.install()


def load(
    description: int, *, prepared: bool = False
) -> tuple[Callable[..., None], tuple[Any, ...]]:
    """Return the call in a pickle, after making this process like the one that wrote it."""
    with open(description, "rb") as file:
        preparation, call = ForkingPickler.loads(file.read())
    show_role(preparation["name"].removeprefix(_OURS))
    # As in multiprocess: a main module that starts processes while it is imported is refused.
    current: Any = process.current_process()
    current._inheriting = True
    try:
        if prepared:
            preparation = {"name": preparation["name"]}
        spawn.prepare(preparation)
        entry, arguments = ForkingPickler.loads(call)
    finally:
        del current._inheriting
    return entry, arguments


_answered: list[bool] = []


def _answer_signals() -> None:
    """Ignore the signals that are for the supervisor, and none that the pool was started with."""
    if not _answered:  # what an app ignores later is its own choice
        for number in signal.valid_signals():
            if signal.getsignal(number) is signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)
        _answered.append(True)
    for number in _NOT_FOR_US:
        signal_handlers.install(number, lambda *_: None)
        signal.siginterrupt(number, False)


def _read_nothing() -> None:
    """Make stdin empty, here and in the programs that handlers start."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    if nothing != 0:
        os.close(nothing)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - until the process ends
