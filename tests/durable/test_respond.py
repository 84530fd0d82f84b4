"""Handlers of a pool that answer the sender, and processes that die before they say so."""

from __future__ import annotations

import json

from fencepost import App

from ..ingest.inbox import SECRET, github
from ..processes import fencepost, running
from .conftest import Place

APP = f"""
import os, signal
from pathlib import Path

from fencepost import App, Suspended

app = App("hooks.db")
app.source("github", scheme="github", secret={SECRET!r})


def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)


@app.on("github", respond=True, within=60)
def answer(message, ctx):
    at = message.json().get("at")
    if at and not Path(at).exists():
        Path(at).write_text("")
        session = ctx.store.engine._session
        if at == "before the commit":
            die()
        session.on_told = die  # after the commit, before it tells
    if message.json().get("sleeps"):
        ctx.sleep("nap", 0.1)
    return {{"attempt": ctx.attempt, "of": message.key}}
"""


def _answers(place: Place, bodies: list[dict[str, object]]) -> list[object]:
    names: dict[str, App] = {}
    exec(compile(APP, "app", "exec"), names)  # noqa: S102 - the module that the pool imports
    app = names["app"]
    app.store = str(place.folder / "hooks.db")
    found = []
    with running(fencepost("work", "app.py", "--workers", "1"), cwd=place.folder):
        for n, content in enumerate(bodies):
            body = json.dumps(content).encode()
            answer = app.accept("github", github(body, key=f"k{n}"), body)
            found.append(json.loads(answer.body))
    app.close()
    return found


# RESPOND-1, AWAIT-2
def test_the_answer_comes_though_the_worker_died_before_it_told(place: Place) -> None:
    bodies: list[dict[str, object]] = [
        {},
        {"at": "after the commit"},
        {"at": "before the commit"},
        {"sleeps": True},
    ]

    answers = _answers(place, bodies)

    assert answers == [
        {"attempt": 1, "of": "k0"},
        {"attempt": 1, "of": "k1"},
        {"attempt": 2, "of": "k2"},
        {"attempt": 1, "of": "k3"},
    ]
