"""Scaling, pausing and limits under load: nothing is lost, nothing run again, no limit broken."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from ..processes import PATIENCE_SECONDS, line_of, running, wait_until
from .conftest import Site

_HANDLERS = """

@app.task("brief")
def brief(message, ctx):
    time.sleep(0.01)
    effect(message, ctx)


@app.task("few", max_leased=2)
def few(message, ctx):
    time.sleep(0.01)
    effect(message, ctx)
"""


@pytest.fixture
def keys(site: Site) -> list[str]:
    """The keys of what there is to do."""
    app = site.folder / "app.py"
    app.write_text(app.read_text() + _HANDLERS)
    keys = [f"{queue}-{number}" for queue in ("brief", "few") for number in range(150)]
    for queue in ("brief", "few"):
        site.store.queue(queue).enqueue_many(
            {"body": b"", "key": key} for key in keys if key.startswith(queue)
        )
    return keys


def _handled(site: Site) -> list[tuple[str, int]]:
    return sorted((key, attempt) for key, attempt, _ in site.effects())


def _has(site: Site, size: int) -> Callable[[], bool]:
    return lambda: len(site.store.workers()) == size == site.store.pools()[0].size


def test_more_and_fewer_workers_handle_each_once(site: Site, keys: list[str]) -> None:
    with running(site.work("--workers", "1"), cwd=site.folder) as pool:
        line_of(pool)
        for size in (6, 1, 4):
            site.store.scale(size)
            wait_until(_has(site, size), f"{size} workers")
        for number, size in ((signal.SIGTTIN, 5), (signal.SIGTTOU, 4)):
            pool.send_signal(number)
            wait_until(_has(site, size), f"{size} workers")
        wait_until(lambda: len(site.effects()) >= len(keys), "all is handled")
        pool.send_signal(signal.SIGTERM)
        assert pool.wait(timeout=PATIENCE_SECONDS) == 0

    assert _handled(site) == sorted((key, 1) for key in keys)


def test_a_limit_and_a_pause_hold_under_load(site: Site, keys: list[str]) -> None:
    few = site.store.queue("few")
    seen: list[int] = []

    def is_done(least: int) -> Callable[[], bool]:
        def look() -> bool:
            seen.append(few.stats().leased)
            return few.stats().done >= least

        return look

    with running(site.work("--workers", "4"), cwd=site.folder) as pool:
        wait_until(is_done(20), "some are handled")
        site.store.pause("few")
        wait_until(lambda: few.stats().leased == 0, "what was begun has ended")
        paused = few.stats()
        site.store.queue("brief").enqueue(b"", key="other", priority=1)
        keys.append("other")
        wait_until(lambda: ("other", 1) in _handled(site), "others go on")
        assert few.stats().done == paused.done
        assert few.stats().leased == 0

        site.store.resume("few")
        wait_until(is_done(150), "it goes on to its end")
        wait_until(lambda: len(site.effects()) >= len(keys), "all is handled")
        pool.send_signal(signal.SIGTERM)
        assert pool.wait(timeout=PATIENCE_SECONDS) == 0

    assert max(seen) <= 2
    assert _handled(site) == sorted((key, 1) for key in keys)
