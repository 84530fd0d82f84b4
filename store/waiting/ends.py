"""Those of a process who wait for messages to end, and the thread that tells them.

The thread runs while somebody waits. It sleeps until the engine hears of an end, and looks
after all who wait about once a second: the process that ended a message may have died before
it said so.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from ..errors import FencepostError, ForkedStore, InvalidInput, StoreCorrupt, StoreFailed
from ..naming import named
from ..rules.failures.jitter import jitter
from ..types.durable.ended import Asked, Ended
from ..types.validate import Duration, milliseconds

if TYPE_CHECKING:
    from ..engine.durable.ends import EndVerbs

Answer = Ended | FencepostError

_LOOK_SECONDS = 1.0
# Of one read.
_MOST_ASKED = 1000


class Watch:
    """One who waits.

    Attributes:
        tell: Called once, in any thread; it must not wait.
        over: Told, or not to be told any more.
    """

    __slots__ = ("asked", "over", "tell")

    def __init__(self, asked: Asked, tell: Callable[[Answer], object]) -> None:
        self.asked = asked
        self.tell = tell
        self.over = False


class Waiting:
    """Who waits by one engine."""

    def __init__(self, ends: EndVerbs) -> None:
        self._ends = ends
        self._lock = threading.Lock()
        self._watches: dict[int, list[Watch]] = {}
        self._thread: threading.Thread | None = None

    @property
    def count(self) -> int:
        """How many wait."""
        return sum(map(len, list(self._watches.values())))

    def wait(self, message: int, timeout: Duration | None = None) -> Ended:
        """Return once a message has ended.

        Raises:
            TimeoutError: It has not within the timeout.
        """
        with named("wait", ""):
            seconds = None if timeout is None else milliseconds(timeout, "timeout") / 1000
        deadline = None if seconds is None else time.monotonic() + seconds
        told: SimpleQueue[Answer] = SimpleQueue()
        watch = Watch(Asked(message), told.put)
        try:
            self._begin(watch)
            return _given(told.get(timeout=_left(deadline)))
        except Empty:
            raise TimeoutError(f"message m{message} has not ended within {seconds:g} s") from None
        finally:
            self.end(watch)

    async def done(self, message: int) -> Ended:
        """Return once a message has ended."""
        told, tell = in_this_loop()
        watch = Watch(Asked(message), tell)
        try:
            await asyncio.to_thread(self._begin, watch)
            return _given(await told)
        finally:
            self.end(watch)

    def watch(self, watch: Watch) -> None:
        """Tell this one of the end of what the engine listens for; now, if it has ended."""
        with self._lock:
            if watch.over:
                return
            self._watches.setdefault(watch.asked.message, []).append(watch)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="ends", daemon=True)
                self._thread.start()
        try:
            self._look([watch])
        except BaseException:
            self.end(watch)
            raise

    def end(self, watch: Watch) -> bool:
        """Tell this one no more; False if it was told."""
        with self._lock:
            if watch.over:
                return False
            watch.over = True
            watches = self._watches.get(watch.asked.message, [])
            if watch in watches:
                watches.remove(watch)
                if not watches:
                    del self._watches[watch.asked.message]
            return True

    def forget(self) -> None:
        """Begin anew, in a forked child: the parent's threads are not here."""
        self._lock = threading.Lock()
        self._watches, self._thread = {}, None

    def _begin(self, watch: Watch) -> None:
        (ended,) = self._ends.look([watch.asked])
        if ended is None:
            self._ends.listen([watch.asked.message])
            self.watch(watch)
        elif self.end(watch):
            watch.tell(ended)

    def _run(self) -> None:
        look_at = _next_look()
        while True:
            try:
                heard: Iterable[int] = self._ends.hear(max(0.0, look_at - time.monotonic()))
                due = time.monotonic() >= look_at
                with self._lock:
                    if due and not self._watches:
                        self._thread = None
                        return
                    of = self._watches if due else set(heard) & self._watches.keys()
                    asked = [watch for message in of for watch in self._watches[message]]
                if due:
                    look_at = _next_look()
                self._look(asked)
            except (InvalidInput, ForkedStore) as closed:
                self._end_all(closed)
                return
            except FencepostError:
                continue  # nothing is lost: all are looked after again within a second
            except Exception as error:  # nobody may wait for a thread that is gone
                self._end_all(StoreFailed(f"cannot look for what has ended: {error}"))
                raise

    def _look(self, watches: Sequence[Watch]) -> None:
        for start in range(0, len(watches), _MOST_ASKED):
            some = watches[start : start + _MOST_ASKED]
            try:
                answers = self._ends.look([watch.asked for watch in some])
            except StoreCorrupt as damaged:
                if len(some) > 1:  # the others are told
                    for watch in some:
                        self._look([watch])
                    continue
                answers = [damaged]
            for watch, answer in zip(some, answers, strict=True):
                if answer is not None and self.end(watch):
                    watch.tell(answer)

    def _end_all(self, error: FencepostError) -> None:
        with self._lock:
            self._thread = None
            watches = [watch for those in self._watches.values() for watch in those]
        for watch in watches:
            if self.end(watch):
                watch.tell(error)


def in_this_loop() -> tuple[asyncio.Future[Answer], Callable[[Answer], None]]:
    """Return a future of the running event loop, and what settles it from any thread."""
    loop = asyncio.get_running_loop()
    told: asyncio.Future[Answer] = loop.create_future()

    def settle(answer: Answer) -> None:
        if not told.done():
            told.set_result(answer)

    def tell(answer: Answer) -> None:
        with contextlib.suppress(RuntimeError):  # the loop was closed, so nobody waits
            loop.call_soon_threadsafe(settle, answer)

    return told, tell


def _given(answer: Answer) -> Ended:
    if isinstance(answer, FencepostError):
        raise answer
    return answer


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - time.monotonic())


def _next_look() -> float:
    """Return when to look next: processes that wait do not all look at the same time."""
    return time.monotonic() + _LOOK_SECONDS * jitter.uniform(0.8, 1.2)
