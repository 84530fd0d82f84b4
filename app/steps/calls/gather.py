"""Steps side by side in a coroutine handler."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable
from typing import Any

from ....store.errors import InvalidInput
from ..errors import Suspended
from ..guard import current_task


def checked(steps: tuple[Awaitable[Any], ...]) -> tuple[Awaitable[Any], ...]:
    """Return what can be waited for side by side.

    Raises:
        InvalidInput: It cannot; none of it has begun, nor will.
    """
    if current_task() is None:
        raise InvalidInput(
            "ctx.gather is for coroutine handlers: call steps one after the other",
            operation="gather",
        )
    for each in steps:
        if not inspect.isawaitable(each):
            raise InvalidInput(
                f"ctx.gather takes steps, not {type(each).__name__}: ctx.gather(*steps)",
                operation="gather",
            )
    return steps


async def gather(steps: tuple[Awaitable[Any], ...], *, return_exceptions: bool) -> list[Any]:
    """Wait for all, then return their outcomes in order, or raise the first failure in order.

    The other failures are notes of that one. A cancellation is passed on to each of them, and
    no one is left running.
    """
    tasks = [asyncio.ensure_future(each) for each in steps]
    if tasks:
        try:
            await asyncio.wait(tasks)
        except asyncio.CancelledError as cancelled:
            for task in tasks:
                task.cancel(*cancelled.args)
            while not all(task.done() for task in tasks):
                try:
                    await asyncio.wait(tasks)
                except asyncio.CancelledError:
                    continue  # they have been told
            for task in tasks:
                if not task.cancelled():
                    task.exception()  # seen
            raise
    failures = [error for task in tasks if (error := _error(task)) is not None]
    for error in failures:
        if isinstance(error, Suspended):  # the others have ended by now, and are recorded
            raise error
    if failures and not return_exceptions:
        first, *others = failures
        for error in others:
            first.add_note(f"also failed: {type(error).__name__}: {error}")
        raise first
    return [error if (error := _error(task)) is not None else task.result() for task in tasks]


def _error(task: asyncio.Future[Any]) -> BaseException | None:
    if task.cancelled():
        return asyncio.CancelledError("a step was cancelled")
    return task.exception()
