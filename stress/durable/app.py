"""The app of durable handlers: ten steps each, in an order of their own, under any version.

`fencepost work` runs it in the folder of the store. An odd version asks for the steps in the
opposite order, and for one more.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from ...app import App, Context
from ...app.exceptions import Retry
from ...app.settings import Settings
from ...app.steps.errors import WaitTimeout
from ...store import Message
from ..pools.environment import plant_canary
from . import plan
from .attempt import Attempt
from .plan import ANSWER, GATHERED, NAPS, SLEEP, steps_of

_VERSION = plan.version(Path())
_FETCH_SECONDS = 0.01

app = App("store.db", version=str(_VERSION), url="https://hooks.example.com")

# No number of kills makes a dead letter.
_SETTINGS: Settings = {"max_attempts": None, "max_crashes": 1_000_000, "backoff": 0.05}

# A sleep that counted as an attempt would make one of a handler that naps that often, and fails.
_MOST_ATTEMPTS = 8


@app.task(plan.PLAIN, **_SETTINGS)
def plain(message: Message, ctx: Context) -> None:
    """Take the steps one after the other."""
    with Attempt(message, ctx) as attempt:
        now = _begin(attempt)
        for step in _order(attempt):
            try:
                outcome = _ask(attempt, step)
            except WaitTimeout:
                outcome = "timeout"
            now = _got(attempt, step, outcome, now)


@app.task(plan.COROUTINE, concurrency=2, max_attempts=None, max_crashes=1_000_000, backoff=0.05)
async def coroutine(message: Message, ctx: Context) -> None:
    """Take the steps one after the other, three of them side by side."""
    with Attempt(message, ctx) as attempt:
        now = _begin(attempt)
        for step in _order(attempt):
            if step == "gather":
                await _gather(attempt)
                continue
            try:
                outcome = await _ask(attempt, step)
            except WaitTimeout:
                outcome = "timeout"
            now = _got(attempt, step, outcome, now)


@app.task(plan.NAPPING, max_attempts=_MOST_ATTEMPTS, max_crashes=1_000_000, backoff=0.05)
def napping(message: Message, ctx: Context) -> None:
    """Sleep more often than it may be attempted, and then fail once."""
    with Attempt(message, ctx) as attempt:
        for number in range(NAPS):
            attempt.got(f"nap{number}", ctx.sleep(f"nap{number}", random.uniform(0, 0.02)))
            if number == _MOST_ATTEMPTS - 2 and attempt.is_first("failure"):
                raise Retry(0)


@app.task(plan.BRIEF, **_SETTINGS)
def brief(message: Message, ctx: Context) -> None:
    """End in the first attempt, unless that is hit."""
    with Attempt(message, ctx) as attempt:
        for step in steps_of(plan.BRIEF):
            attempt.got(step, _ask(attempt, step))


@app.task(plan.CHANGED, **_SETTINGS)
def changed(message: Message, ctx: Context) -> None:
    """Ask for a step with arguments that are another's in another version."""
    with Attempt(message, ctx) as attempt:
        attempt.got("versioned", ctx.step("versioned", lambda _: "done", _VERSION))
        attempt.got(SLEEP, ctx.sleep(SLEEP, attempt.plan.nap))
        attempt.got("p1", ctx.step("p1", attempt.effect, "p1"))


def _begin(attempt: Attempt) -> float:
    """Note what is the same in each attempt; return what is once a step is recorded."""
    attempt.note("got", "url", attempt.ctx.wait_url(ANSWER))
    attempt.note("got", "uuid", str(attempt.ctx.uuid()))
    return attempt.ctx.now()


def _order(attempt: Attempt) -> Iterator[str]:
    order = attempt.plan.order
    return iter(("extra", *reversed(order)) if _VERSION % 2 else order)


def _ask(attempt: Attempt, step: str) -> Any:
    """Ask for a step; return its outcome, or an awaitable of it."""
    ctx, attempt.asked = attempt.ctx, step
    if step == SLEEP:
        return ctx.sleep(SLEEP, attempt.plan.nap)
    if step == ANSWER:
        return ctx.wait(ANSWER, attempt.plan.timeout)
    if step.startswith("t"):
        return ctx.step(step, attempt.insert, step, in_transaction=True)
    return ctx.step(step, attempt.effect, step)


def _got(attempt: Attempt, step: str, outcome: object, now: float) -> float:
    if step != ANSWER:  # an answer that was there is no record, which `now` is written with
        attempt.note("got", "now", repr(now))
    attempt.got(step, outcome)
    return now


async def _gather(attempt: Attempt) -> None:
    """Ask in order, and begin and end in any."""
    ctx, places = attempt.ctx, list(range(GATHERED))
    asked = [ctx.step("g", partial(_fetch, attempt, place)) for place in places]
    random.shuffle(places)
    found = await ctx.gather(*(asked[place] for place in places))
    for place, outcome in zip(places, found, strict=True):
        attempt.got(f"g{place}", outcome)


async def _fetch(attempt: Attempt, place: int) -> tuple[object, ...]:
    await asyncio.sleep(random.uniform(0, _FETCH_SECONDS))
    return attempt.effect(f"g{place}")


plant_canary()
