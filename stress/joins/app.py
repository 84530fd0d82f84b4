"""The app of handlers that join: each kind of joining, and one thing that each call does.

`fencepost work` runs it in the folder of the store. Who enqueues asks it for the addresses.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Callable
from typing import Any, TypeVar, cast

import msgspec

from ...app import App, Context
from ...store import Message
from ..pools.environment import plant_canary
from . import plan
from .call import EFFECT, Call
from .plan import DECLARED, Plan

F = TypeVar("F", bound=Callable[..., Any])

SOURCE = "shop"

_PAUSE_SECONDS = 0.02

app = App("store.db")
app.source(SOURCE, scheme="standard", secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")


def key_of(message: Message) -> str:
    """Return by what messages are joined."""
    return msgspec.json.decode(message.body, type=Plan).key


def _on(queue: str, **more: Any) -> Callable[[F], F]:
    """Decorate the handler of a queue as it is declared."""
    declared = DECLARED[queue]
    more |= {"max_attempts": declared.max_attempts, "backoff": 0.05, "most": declared.most}
    more["max_crashes"] = 1_000_000  # no number of kills makes a dead letter
    register: Any
    if declared.window_ms is None:
        register = app.task(queue, coalesce=True, **more)
        return cast(Callable[[F], F], register)
    more |= {"window": declared.window_ms / 1000, "debounce": declared.debounce}
    more |= {"coalesce": key_of, "latest_only": declared.latest}
    register = app.on(SOURCE, queue, name=queue, **more)
    return cast(Callable[[F], F], register)


@_on(plan.PLAIN)
@_on(plan.NEWEST)
@_on(plan.DEBOUNCED)
def plain(messages: list[Message], ctx: Context) -> None:
    """Take a while."""
    with Call(messages, ctx) as call:
        time.sleep(random.uniform(0, _PAUSE_SECONDS))
        call.raise_now_and_then()


@_on(plan.QUIET)
@_on(plan.QUIET_DEBOUNCED)
def quiet(messages: list[Message], ctx: Context) -> None:
    """Do nothing."""
    with Call(messages, ctx):
        pass


@_on(plan.TASKS, max_leased=plan.MOST_LEASED)
def tasks(messages: list[Message], ctx: Context) -> None:
    """Take a while."""
    plain(messages, ctx)


@_on(plan.COROUTINE, concurrency=2)
async def coroutine(messages: list[Message], ctx: Context) -> None:
    """Take a while beside others."""
    with Call(messages, ctx) as call:
        await asyncio.sleep(random.uniform(0, _PAUSE_SECONDS))
        call.raise_now_and_then()


@_on(plan.FAILING)
def failing(messages: list[Message], ctx: Context) -> None:
    """Say which have failed, as the messages want it."""
    with Call(messages, ctx) as call:
        call.raise_of_poison()
        call.fail_some()


@_on(plan.WRITING)
def writing(messages: list[Message], ctx: Context) -> None:
    """Write a row for each, and acknowledge them with it."""
    with Call(messages, ctx) as call:
        call.raise_now_and_then()
        with call.stopped_if_planned() as begin, begin() as tx:
            tx.execute(EFFECT, (ctx.fence, json.dumps(call.ids)))
            call.end("done")
        call.at("end")


plant_canary()
