"""Kills the worker of an example at one step of a message's first attempt.

The example's app is loaded by `load`, which wraps its handlers. A step is a line of the
example, the return of one of its functions, and the moments before and after each commit
of the worker, up to the one that acknowledges the message. A message whose key is
"kill-<n>" is killed at its n-th step, once.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import os
import re
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from fencepost import App, Context, Message
from fencepost.store.sqlite.session.transactions import Block

_KEY = re.compile(r"kill-([0-9]+)")


class _Steps:
    """Counts the steps of the newest message, in this worker."""

    def __init__(self, example: str, killed: Path) -> None:
        self._example = example
        self._killed = killed
        self._key = ""
        self._left = 0

    def begin(self, messages: Sequence[Message]) -> None:
        """Count for the first message of a call whose worker was not killed yet."""
        self._left = 0
        for message in messages:
            key = message.key or ""
            if (found := _KEY.fullmatch(key)) and not (self._killed / key).exists():
                self._key, self._left = key, int(found[1])
                return

    def step(self) -> None:
        if self._left > 0:
            self._left -= 1
            if not self._left:
                (self._killed / self._key).touch()
                os.kill(os.getpid(), signal.SIGKILL)

    def trace(self, frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code.co_filename != self._example:
            return None
        if event in ("line", "return"):
            self.step()
        return self.trace


def load(example: str, killed: str) -> App:
    """Return the app of an example, whose workers are killed."""
    spec = importlib.util.spec_from_file_location("example", example)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    app: App = module.app
    steps = _Steps(example, Path(killed))
    for name, handler in app.handlers.items():
        call = _call_async if handler.is_async else _call
        app.handlers[name] = dataclasses.replace(
            handler,
            function=functools.partial(call, steps, handler.function),
            concurrency=1,
            # One by one: the steps of a message end with its ack, in the next claim.
            prefetch=None if handler.is_async else 1,
        )
    _count_commits(steps)
    return app


def _call(steps: _Steps, function: Any, message: Message, ctx: Context) -> Any:
    steps.begin(ctx._claim.messages)
    sys.settrace(steps.trace)
    try:
        return function(message, ctx)
    finally:
        sys.settrace(None)


async def _call_async(steps: _Steps, function: Any, message: Message, ctx: Context) -> Any:
    steps.begin(ctx._claim.messages)
    sys.settrace(steps.trace)
    try:
        return await function(message, ctx)
    finally:
        sys.settrace(None)


def _count_commits(steps: _Steps) -> None:
    commit = Block._commit

    def counted(block: Block) -> None:
        if block._operation in ("transaction", "claim"):
            steps.step()
        commit(block)
        if block._operation in ("transaction", "claim"):
            steps.step()

    Block._commit = counted  # type: ignore[method-assign,assignment]
