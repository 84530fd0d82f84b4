"""Worker hooks: functions that each worker calls at its start, at its end, and for dead letters."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ...log.log import log
from ...store import Store
from ...store.errors import InvalidInput
from ...store.types.messages.death import DEATHS
from .handler import Handler
from .on_dead import checked_for_dead, dead_handler

Hook = Callable[..., Any]
H = TypeVar("H", bound=Hook)


@dataclass(frozen=True, slots=True)
class WorkerProcess:
    """The worker that calls a hook.

    Attributes:
        id: Its number in `fencepost workers list`.
        store: Its open store.
    """

    id: int
    pid: int
    store: Store


@dataclass(slots=True)
class Hooks:
    """The hooks of an app, in order of declaration."""

    started: list[Hook] = field(default_factory=list)
    stopping: list[Hook] = field(default_factory=list)
    dead: list[Hook] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.started or self.stopping)


class Hooked:
    """The decorators for hooks, as a part of `App`."""

    handlers: dict[str, Handler]

    def __init__(self) -> None:
        self.hooks = Hooks()

    def worker_started(self, function: H) -> H:
        """Decorate a function that each worker calls before its first message.

        Use it to open what handlers share, such as an HTTP client or a database pool. It
        takes no argument, or one: the worker (`.id`, `.pid`, `.store`). A coroutine function
        runs on the event loop of the coroutine handlers. If it raises, the worker is
        replaced.
        """
        self.hooks.started.append(_checked(function, "worker_started"))
        return function

    def on_dead(self, function: H) -> H:
        """Decorate a function(message, ctx) that is called for each new dead letter.

        A worker calls it at least once for each delivery that becomes a dead letter, for
        whatever reason. `ctx` has `.queue`, `.error`, `.attempt`, `.delivery` and `.store`.
        A call that raises is retried, ten times in all within 15 minutes.
        """
        self.hooks.dead.append(checked_for_dead(function))
        self.handlers[DEATHS] = dead_handler(self.hooks.dead)
        return function

    def worker_stopping(self, function: H) -> H:
        """Decorate a function that each worker calls after its last message.

        Several such functions are called in reverse order of declaration, and have 5 s
        together. They are not called in a worker that is killed.
        """
        self.hooks.stopping.append(_checked(function, "worker_stopping"))
        return function


def call_started(hooks: Hooks, worker: WorkerProcess, run: Callable[[Any], object]) -> None:
    """Call the `worker_started` hooks; `run` runs a coroutine to its end.

    Raises:
        SystemExit: A hook raised; the error is in the log.
    """
    for hook in hooks.started:
        try:
            _call(hook, worker, run)
        except BaseException as error:
            log.error("worker_started failed", function=_name(hook), exc_info=error)
            raise SystemExit(1) from error


def call_stopping(hooks: Hooks, worker: WorkerProcess, run: Callable[[Any], object]) -> None:
    """Call the `worker_stopping` hooks; if one raises, the others are still called."""
    for hook in reversed(hooks.stopping):
        try:
            _call(hook, worker, run)
        except BaseException as error:  # noqa: BLE001 - the worker ends in any case
            log.error("worker_stopping failed", function=_name(hook), exc_info=error)


def _call(hook: Hook, worker: WorkerProcess, run: Callable[[Any], object]) -> None:
    pid = os.getpid()
    try:
        result = hook(worker) if _takes_one(hook) else hook()
        if inspect.isawaitable(result):
            run(result)
        if worker.store.engine.transactions.is_open():
            raise InvalidInput(f"{_name(hook)} has left a transaction open")
    finally:
        if os.getpid() != pid:
            os._exit(1)  # a child that the hook forked has returned from it


def _checked(function: H, what: str) -> H:
    if not callable(function):
        raise InvalidInput(f"{what} takes a function, not {function!r}")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise InvalidInput(
            f"{_name(function)} is a generator; {what} takes a function, async or not"
        )
    try:
        _takes_one(function)
    except TypeError as error:
        raise InvalidInput(
            f"{_name(function)} must take no argument, or one: the worker"
        ) from error
    return function


def _takes_one(function: Hook) -> bool:
    """True when the function takes one argument, False when it takes none."""
    try:
        signature = inspect.signature(function)
    except ValueError:
        return False  # a built-in without a signature
    try:
        signature.bind()
    except TypeError:
        signature.bind(None)
        return True
    return False


def _name(function: Hook) -> str:
    return str(getattr(function, "__qualname__", type(function).__name__))
