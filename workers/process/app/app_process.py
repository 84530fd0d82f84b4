"""The app process: it has imported the app, and workers and receivers are forked from it.

They run what it has imported until the next reload, even if the files change meanwhile. An app
that starts threads or opens connections during its import cannot be shared by fork. Then each
process imports the app itself, from its sources as they were when it was loaded first.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ....app.interfaces import WorkerApp
from ....app.loading import module_sources as sources
from ....app.schedules.schedule import Schedule
from ....app.sending.built_in import handlers_of
from ....linux.memfd import memfd
from ....linux.memory import resident_bytes
from ....linux.parentage import die_with_parent
from ....log.log import configure, log
from ....store.errors import InvalidInput
from .. import entry_point, fork_requests
from ..forkserver import FORKS, ForkServer
from . import app_report
from .app_report import AppReport
from .sharing import descriptors, obstacle

# Gets the app; it may be anything until it has been checked.
Load = Callable[[], Any]

_ANSWER_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class AppSpec:
    """Which app to load, and what it must have.

    Attributes:
        load: Called to get it.
        main: `load` may need what the program's own main module defines.
        store: The address that its store must have.
        queues: The queues that it must have handlers for; None for any.
        seconds: How long the import may take.
        most_memory: The bytes that it may have once it is loaded; None for no limit.
    """

    load: Load
    main: bool
    store: str
    queues: Sequence[str] | None
    seconds: float
    most_memory: int | None = None


class AppProcess:
    """The supervisor's side of the app process.

    Attributes:
        line: Readable when the process has said something; None when it is gone.
        pid: Of the process; meaningless when it is gone.
        state: "loading", "up" (it forks), "unshared" (each process loads for itself), "failed",
            "lost" (it was up, and its process is gone), "waiting" (to be loaded again).
        why: In words, when it is unshared, failed or lost.
        handlers: The names of the app's, once it is loaded.
        schedules: The app's, likewise.
        too_big: It has failed because it has more memory than a worker may have.
    """

    def __init__(self, forkserver: ForkServer, spec: AppSpec) -> None:
        """Start the process and let it import the app.

        Raises:
            OSError: The process cannot be forked.
        """
        self.line: socket.socket | None = None
        self.pid = 0
        self.state = "loading"
        self.why = ""
        self.handlers: list[str] = []
        self.schedules: list[Schedule] = []
        self.too_big = False
        self._sources: int | None = None
        self._forkserver = forkserver
        self._spec = spec
        self._give_up_at = 0.0
        self.load()

    @property
    def was_up(self) -> bool:
        """It has been loaded before, so `load` loads the same version again."""
        return self._sources is not None

    @property
    def is_up(self) -> bool:
        """A process can be forked from it."""
        return self.state == "up" or (self.state == "unshared" and self._forkserver.is_up)

    def load(self) -> None:
        """Import the app; if it was up before, from the sources as they were then.

        Raises:
            OSError: The process cannot be forked.
        """
        if not FORKS:
            self.state, self.why = "unshared", "no process can be forked here"
            return
        sources = [] if self._sources is None else [self._sources]
        ours, far_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            asked = entry_point.dump("app", load_and_serve, (self._spec,), main=self._spec.main)
            with far_end, memfd(asked) as description:
                fds = [description, far_end.fileno(), *sources]
                self.pid = self._forkserver.fork(fds, fork_requests.LOAD_APP)
        except BaseException:
            ours.close()
            raise
        ours.setblocking(False)
        self.line, self.state, self.why = ours, "loading", ""
        self._give_up_at = time.monotonic() + self._spec.seconds

    def hear(self) -> None:
        """Read how the import went, or that the process is gone."""
        assert self.line is not None
        said, sources = app_report.receive(self.line)
        if sources is not None:
            self._drop_sources()
            self._sources = sources
        if said is None:
            if self.state == "loading":
                self._end("failed", "it ended the process")
            else:
                self._end("lost", "it was killed")
            return
        size = resident_bytes(self.pid)
        if said.state != "failed" and size and size > (self._spec.most_memory or size):
            self.too_big = True
            self._end("failed", f"a worker has {size >> 20} MiB before its first message")
            return
        self.handlers, self.schedules = said.handlers, said.schedules
        if said.state == "up":
            self.state = "up"
            self.line.settimeout(_ANSWER_SECONDS)
        else:
            self._end(said.state, said.why)
            if self.state == "unshared":
                log.warning("each process imports the app itself", why=self.why)

    def enforce_time(self) -> None:
        """Give up an import that takes too long."""
        if self.state == "loading" and time.monotonic() >= self._give_up_at:
            self._end("failed", f"not loaded after {self._spec.seconds:g} s")

    def fork(self, fds: list[int]) -> int:
        """Fork a child of this process that is given the descriptors; return its pid.

        Raises:
            OSError: It cannot be forked.
        """
        if self.state == "unshared" and self._sources is not None:
            return self._forkserver.fork([self._sources, *fds], fork_requests.IMPORT_APP)
        if self.state == "unshared":
            return self._forkserver.fork(fds)
        assert self.line is not None
        try:
            return fork_requests.ask(self.line, fds)
        except ConnectionError:
            self._end("lost", "it did not answer")
            raise

    def end(self) -> None:
        """End the process; what was forked from it continues."""
        self._end("failed", "")
        self._drop_sources()

    def _drop_sources(self) -> None:
        if self._sources is not None:
            os.close(self._sources)
            self._sources = None

    def _end(self, state: str, why: str) -> None:
        self.state, self.why = state, why
        if self.line is not None:
            self.line.close()
            self.line = None
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)


_loaded: tuple[Load, WorkerApp] | None = None


def app_of(load: Load) -> WorkerApp:
    """Return the app: the one that this process was forked with, or one that is loaded now."""
    if _loaded is not None and _loaded[0] == load:
        return _loaded[1]
    app: WorkerApp = load()
    return app


def load_and_serve(parent: int, spec: AppSpec, line: socket.socket) -> None:
    """Load the app, report how that went, and fork processes that have it."""
    global _loaded
    configure()
    before = descriptors()
    try:
        app = spec.load()
        _check(app, spec)
        why = obstacle(before) or ""
        state = "unshared" if why else "up"
        report = AppReport(state, why, list(handlers_of(app)), list(app.schedules.values()))
        _loaded = (spec.load, app)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the old code stays in use
        report = AppReport("failed", str(error) or type(error).__name__)
    # Otherwise each forked process would write what is still in a buffer.
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    gc.collect()
    gc.freeze()
    app_report.send(line, report, None if report.state == "failed" else sources.taken())
    if report.state == "up":
        signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
        fork_requests.serve(line, lambda _, fds: entry_point.enter(parent, fds, prepared=True))


def main(parent: int, fds: list[int]) -> None:
    """Run the app process, and later each process that is forked from it."""
    die_with_parent(parent)
    description, number, *kept = fds
    if kept:
        sources.keep(kept[0])
    entry_point.isolate()
    with socket.socket(fileno=number) as line:
        try:
            entry, arguments = entry_point.load(description)
        except BaseException as error:  # noqa: BLE001 - of the program's main module
            app_report.send(line, AppReport("failed", str(error) or type(error).__name__))
        else:
            entry(parent, *arguments, line)


def _check(app: Any, spec: AppSpec) -> None:
    """Refuse an app that this pool cannot run."""
    if not hasattr(app, "handlers") or not hasattr(app, "store"):
        raise InvalidInput(f"a {type(app).__name__} is not a fencepost.App")
    app.check()
    if app.store != spec.store:
        raise InvalidInput(
            f"the app's store is {app.store} now, and was {spec.store}: restart to change it"
        )
    if unknown := [name for name in spec.queues or () if name not in handlers_of(app)]:
        raise InvalidInput(f"the app has no handler for {', '.join(unknown)}")


def _import_app(parent: int, fds: list[int]) -> None:
    """Run a process that imports the app itself, from the sources of the first descriptor."""
    sources.keep(fds[0])
    entry_point.enter(parent, fds[1:])


# What a child of the forkserver runs, by the name of the request.
CALLS: dict[bytes, Callable[[int, list[int]], None]] = {
    fork_requests.FORK: entry_point.enter,
    fork_requests.LOAD_APP: main,
    fork_requests.IMPORT_APP: _import_app,
}


def answer(parent: int, what: bytes, fds: list[int]) -> None:
    """Run what this new child of the forkserver was asked to run."""
    functools.partial(CALLS[what], parent)(fds)
