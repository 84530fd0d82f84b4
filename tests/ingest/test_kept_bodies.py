"""How long bodies are kept, as sources and handlers say it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fencepost import App, InvalidInput, connect

from ..clock import FakeClock
from .inbox import SECRET, Inbox, github, nothing


# BODY-2
@pytest.mark.parametrize(
    ("source", "handler"),
    [({}, {}), ({"keep_body_for": 60}, {}), ({}, {"keep_body_for": 60})],
)
def test_a_source_or_a_handler_says_how_long_bodies_are_kept(
    tmp_path: Path, clock: FakeClock, source: dict[str, Any], handler: dict[str, Any]
) -> None:
    app = App(tmp_path / "hooks.db")
    app.source("github", scheme="github", secret=SECRET, **source)
    app.on("github", "push", name="deploy", **handler)(nothing)
    with Inbox(app) as inbox:
        assert inbox.post(b"{}", github(key="1")).status == 200

    with connect(app.store) as store:
        queue = store.queue("deploy")
        queue.ack_many(queue.claim())
        kept = store.content(1)
        again = store.replay(1).kind

    assert kept is not None
    assert kept.body == (b"{}" if source or handler else None)
    assert again == ("copied" if source or handler else "unrecoverable")


@pytest.mark.parametrize("keep", [-1, "1h", None])
def test_a_time_that_makes_no_sense_is_refused_where_it_is_declared(keep: Any) -> None:
    app = App("unused.db")

    with pytest.raises(InvalidInput, match="keep_body_for"):
        app.source("github", scheme="github", secret=SECRET, keep_body_for=keep)
    with pytest.raises(InvalidInput, match="keep_body_for"):
        app.task("work", keep_body_for=keep)(nothing)
