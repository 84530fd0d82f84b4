"""SIGTERM under load: what is begun is finished, and nothing of it is run again."""

from __future__ import annotations

import signal
import subprocess
from functools import partial

from fencepost.store import Store

from ..processes import PATIENCE_SECONDS, is_gone, line_of, running, wait_until
from ..sqlite.inside import session
from .conftest import Site

_HANDLERS = """

@app.task("brief")
def brief(message, ctx):
    time.sleep(0.02)
    effect(message, ctx)


@app.task("brief-async", concurrency=3)
async def brief_async(message, ctx):
    import asyncio
    await asyncio.sleep(0.02)
    effect(message, ctx)
"""


def _stop(pool: subprocess.Popen[str]) -> None:
    pool.send_signal(signal.SIGTERM)
    assert pool.wait(timeout=PATIENCE_SECONDS) == 0


def _has_handled(site: Site, some: int) -> bool:
    return len(site.effects()) >= some


def _leased(store: Store) -> int:
    return sum(each.leased for each in store.stats().values())


def test_each_is_handled_once_over_many_shutdowns(site: Site) -> None:
    app = site.folder / "app.py"
    app.write_text(app.read_text() + _HANDLERS)
    keys = [f"{queue}-{number}" for queue in ("brief", "brief-async") for number in range(60)]
    for key in keys:
        site.store.queue(key.rpartition("-")[0]).enqueue(b"", key=key)

    for some in (1, 20):
        with running(site.work("--workers", "4"), cwd=site.folder) as pool:
            wait_until(partial(_has_handled, site, some), "it is at work")
            workers = [each.pid for each in site.store.workers()]
            _stop(pool)
            assert _leased(site.store) == 0
            assert site.store.workers() == []
            assert site.store.pools() == []
            assert all(is_gone(pid) for pid in workers)
    with running(site.work("--workers", "4", "--drain"), cwd=site.folder) as pool:
        assert pool.wait(timeout=PATIENCE_SECONDS) == 0

    assert sorted((key, attempt) for key, attempt, _ in site.effects()) == sorted(
        (key, 1) for key in keys
    )


def test_leases_are_kept_for_as_long_as_a_pool_drains(site: Site) -> None:
    site.store.queue("gated").enqueue(b"", key="k")
    options = ("--workers", "1", "--lease", "1.5", "--grace", "120")

    def until() -> int:
        sql = "select lease_until_ms from fp_delivery where state = 'leased'"
        return sum(at for (at,) in session(site.store).read(sql))

    with running(site.work(*options), cwd=site.folder) as pool:
        wait_until(lambda: site.begun("k", 1), "it begins")
        with running(site.work(*options), cwd=site.folder) as successor:
            line_of(successor)
            pool.send_signal(signal.SIGTERM)
            first = until()
            # By now it would have ended twice, and another stands by to take it.
            wait_until(lambda: until() > first + 3_000, "it is renewed again and again")
            (site.folder / "go").touch()
            assert pool.wait(timeout=PATIENCE_SECONDS) == 0
            _stop(successor)

    assert [(key, attempt) for key, attempt, _ in site.effects()] == [("k", 1)]
    assert not site.begun("k", 2)
