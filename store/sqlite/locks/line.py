"""The line of those who wait at the gate; the first in it asks whether the gate is free."""

from __future__ import annotations

import _thread
import contextlib
import itertools
import os
import queue
import threading
import time
from collections.abc import Callable

from . import byte_locks, signal_safe

FLAGS = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC


class Line:
    """Where all wait but the one that may ask whether the gate is free.

    Its lock is on a byte of the gate's file. A thread of its own waits for it, because it
    cannot be waited for with a deadline, and with an opening of its own, so that the two
    do not take it from each other. When nobody wants what it has got any more, it gives it back.
    """

    def __init__(self, path: str, fd: int) -> None:
        """`fd` is the gate's opening of the file, `path` is for the thread's."""
        self._near = fd
        self._far = os.open(path, FLAGS)
        self._give_near = signal_safe.unlock_byte(self._near, 0)
        self._give_far = signal_safe.unlock_byte(self._far, 0)
        self._numbers = itertools.count()
        self._wanted: list[int] = []  # who takes a number out has the lock, or needs none
        self._asks: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._got: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._threads: list[int] = []
        self._ended = False

    def stand(
        self, deadline: float, *, at_once: Callable[[], bool], later: Callable[[bool], bool]
    ) -> bool:
        """Wait to be the first until `deadline`, and return what is called then does.

        `at_once` is when nobody is there, else `later`, with whether it has come to be the
        first. Who asks again keeps its place.
        """
        try:
            if byte_locks.take(self._near, 0):
                return at_once()
        finally:
            self._give_near()
        number = next(self._numbers)
        try:
            self._wanted.append(number)
            return later(self._wait(number, deadline))
        finally:
            try:
                self._wanted.remove(number)
            except ValueError:  # the thread has the lock for it
                self._give_far()

    def end(self) -> None:
        """Let the thread end, at the latest at the head of the line."""
        if self._ended:
            return
        self._ended = True
        if self._threads:
            self._asks.put(False)
        else:
            os.close(self._far)

    def abandon(self) -> None:
        """Close the file in a forked child, where there is no thread to do it."""
        if not self._ended:
            self._ended = True
            os.close(self._far)

    def _wait(self, number: int, deadline: float) -> bool:
        if time.monotonic() >= deadline or not self._start():
            return False
        self._asks.put(True)
        while (seconds := deadline - time.monotonic()) > 0:
            with contextlib.suppress(queue.Empty):
                if self._got.get(timeout=min(seconds, threading.TIMEOUT_MAX)) == number:
                    return True
        return False

    def _start(self) -> bool:
        """Have a thread to wait in, which there is none of at the interpreter's end."""
        if not self._threads:
            with contextlib.suppress(RuntimeError):
                # A thread that is not known of would be followed by another.
                signal_safe.record(self._threads, _thread.start_new_thread, self._run, ())
        return bool(self._threads)

    def _run(self) -> None:
        while self._asks.get():
            if not self._wanted:
                continue
            byte_locks.take(self._far, 0, wait=True)
            try:
                number = self._wanted.pop()
            except IndexError:
                self._give_far()
            else:
                self._got.put(number)
        os.close(self._far)
