"""Workers that are replaced for what they have done, held or lived."""

from __future__ import annotations

import signal

import pytest

from ..processes import line_of, running, wait_until
from .conftest import Site

LEAKING = """
leaked = []


@app.task("leaking")
def leaking(message, ctx):
    leaked.append(b"x" * 2**20)
    effect(message, ctx)
"""

MESSAGES = 50


@pytest.mark.parametrize(
    "bound", [("--max-handled", "20"), ("--max-memory", "64M"), ("--max-age", "0.5")]
)
def test_successors_are_ready_first_and_nothing_is_lost_or_done_twice(
    site: Site, bound: tuple[str, str]
) -> None:
    app = site.folder / "app.py"
    app.write_text(app.read_text() + LEAKING)
    with running(site.work("--workers", "2", *bound), cwd=site.folder) as pool:
        line_of(pool)
        known = {each.id for each in site.store.workers()}
        keys: list[str] = []

        def replaced() -> bool:
            working = {each.id for each in site.store.workers() if each.state != "stopping"}
            assert len(working) >= 2
            known.update(working)
            if len(site.effects()) < len(keys):
                return False
            if len(known) < 5:  # old ones may have handled all before their successors were up
                more = [f"k{len(keys) + number}" for number in range(MESSAGES)]
                site.store.queue("leaking").enqueue_many({"body": b"", "key": key} for key in more)
                keys.extend(more)
            return len(known) >= 5

        wait_until(replaced, "three workers to be replaced")
        pool.send_signal(signal.SIGTERM)
        assert pool.wait(timeout=60) == 0

    handled = sorted(key for key, attempt, _ in site.effects() if attempt == 1)
    assert handled == sorted(keys)
