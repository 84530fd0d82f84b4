"""A pool of workers to measure, as a child process that dies with this one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from ..linux.parentage import die_with_parent
from ..store import Store, connect
from .app import EFFECTS, STORE
from .app import __name__ as app_module
from .measurement import BODY, MeasurementFailed

WORKERS = 2
_LEASE_SECONDS = 30
_PATIENCE_SECONDS = 60.0
_POLL_SECONDS = 0.002
_STOP_SECONDS = 30.0


class Pool:
    """`fencepost work` on one queue of the app, and the store that its messages are put in."""

    store: Store

    def __init__(self, folder: Path, queue: str, *, workers: int = WORKERS) -> None:
        """`folder` does not exist yet, and becomes the pool's."""
        self.name = queue
        self._folder = folder
        self._workers = workers
        self._process: subprocess.Popen[bytes] | None = None
        self._done = 0

    def __enter__(self) -> Self:
        self._folder.mkdir()
        self.store = connect(self._folder / STORE)
        try:
            with self.store.transaction() as tx:
                tx.execute(EFFECTS)
            self._start()
            self._until(lambda: "processing queue" in self._log.read_text(), "the pool is not up")
        except BaseException:
            self._end()
            self.store.close()
            raise
        return self

    def _start(self) -> None:
        command = [sys.executable, "-m", "fencepost", "work", f"{app_module}:app"]
        options = ["--workers", str(self._workers), "--queue", self.name, "--log-format", "json"]
        parent = os.getpid()
        # Python drops what a signal's handler raises while it forks.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})

        def begin() -> None:
            die_with_parent(parent)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

        self._log = self._folder / "log"
        try:
            with self._log.open("wb") as log:
                self._process = subprocess.Popen(
                    [*command, *options],
                    cwd=self._folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    preexec_fn=begin,  # noqa: PLW1509 - there is one thread
                )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def __exit__(self, *_: object) -> None:
        try:
            self._end()
        finally:
            self.store.close()

    def _end(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def pid(self) -> int:
        """The supervisor's."""
        assert self._process is not None
        return self._process.pid

    def enqueue(self, keys: list[str]) -> None:
        """Put a message for each key into the queue, in one transaction."""
        self.store.queue(self.name).enqueue_many([{"body": BODY, "key": key} for key in keys])
        self._done += len(keys)

    def drain(self) -> None:
        """Wait until all that was enqueued is done.

        Raises:
            MeasurementFailed: A message failed, the pool has ended, or nothing goes on.
        """
        queue = self.store.queue(self.name)
        last, deadline = 0, 0.0
        while (stats := queue.stats()).done < self._done:
            if stats.dead or stats.scheduled:
                # The store knows of it a moment before the log does.
                self._until(self._complaint, "a handler failed")
                raise MeasurementFailed(f"a handler failed: {self._complaint()}")
            if stats.done != last or not deadline:
                last, deadline = stats.done, time.monotonic() + _PATIENCE_SECONDS
            self._check(deadline, f"the pool handles nothing: {stats}")
            time.sleep(_POLL_SECONDS)

    def handled(self) -> dict[int, int]:
        """Return how many messages each worker has handled, once all are reported."""
        found: dict[int, int] = {}

        def complete() -> bool:
            found.update((each.id, each.handled) for each in self.store.workers())
            return sum(found.values()) >= self._done

        self._until(complete, "the workers report too few messages")
        return found

    def _until(self, true: Callable[[], Any], otherwise: str) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not true():
            self._check(deadline, otherwise)
            time.sleep(_POLL_SECONDS)

    def _check(self, deadline: float, what: str) -> None:
        assert self._process is not None
        if self._process.poll() is not None:
            raise MeasurementFailed(f"the pool has ended: {self._last_line()}")
        if time.monotonic() > deadline:
            raise MeasurementFailed(f"{what}, for {_PATIENCE_SECONDS:.0f} s")

    def _complaint(self) -> str:
        """Return the first line of the log that is about a handler; "" while there is none."""
        lines = self._log.read_text(errors="replace").splitlines()
        return next((line for line in lines if "handler failed" in line), "")

    def _last_line(self) -> str:
        with suppress(OSError, IndexError):
            return self._log.read_text(errors="replace").splitlines()[-1]
        return "it said nothing"
