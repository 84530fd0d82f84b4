"""What a supervisor does at signals, and about processes that do not come up."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from fencepost.store.types.worker import Worker

from ..processes import PATIENCE_SECONDS, children_of, is_gone, line_of, named, running, wait_until
from .conftest import Site


def _workers(site: Site) -> list[Worker]:
    """The workers that are up and stay."""
    return [each for each in site.store.workers() if each.state in ("idle", "busy", "quiet")]


def _pids(site: Site) -> set[int]:
    return {each.pid for each in _workers(site)}


def _up(site: Site, count: int) -> set[int]:
    """Wait for so many workers to be up and no more; return their pids."""
    wait_until(lambda: len(_pids(site)) == count, f"{count} workers")
    return _pids(site)


def _log(site: Site) -> list[dict[str, object]]:
    lines = (site.folder / "stderr").read_text().splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def _says(site: Site, event: str) -> bool:
    return any(line["event"] == event for line in _log(site))


def _end(pool: subprocess.Popen[str]) -> None:
    pool.send_signal(signal.SIGTERM)
    assert pool.wait(timeout=PATIENCE_SECONDS) == 0


def test_one_more_and_one_less_at_ttin_and_ttou(site: Site) -> None:
    with running(site.work("--workers", "2"), cwd=site.folder) as pool:
        line_of(pool)
        pool.send_signal(signal.SIGTTIN)
        _up(site, 3)
        (registered,) = site.store.pools()
        assert (registered.pid, registered.size) == (pool.pid, 3)

        # The kernel makes one of two signals that come at once.
        pool.send_signal(signal.SIGTTOU)
        _up(site, 2)
        pool.send_signal(signal.SIGTTOU)
        _up(site, 1)
        _end(pool)

    # What was asked for is kept for the next pool.
    assert site.store.engine.pools.scale() == 1
    with running(site.work("--workers", "2"), cwd=site.folder) as pool:
        line_of(pool)
        _up(site, 1)
        _end(pool)


def test_a_pool_follows_what_the_store_says_until_it_says_nothing(site: Site) -> None:
    with running(site.work("--workers", "1"), cwd=site.folder) as pool:
        line_of(pool)
        site.store.scale(3)
        _up(site, 3)
        site.store.scale(0)
        wait_until(lambda: not site.store.workers(), "no worker")
        site.store.scale(None)
        _up(site, 1)
        _end(pool)


def test_no_worker_claims_while_the_pool_is_quiet(site: Site) -> None:
    with running(site.work("--workers", "2"), cwd=site.folder) as pool:
        line_of(pool)
        pool.send_signal(signal.SIGTSTP)
        wait_until(lambda: {each.state for each in _workers(site)} == {"quiet"}, "all are quiet")
        assert site.store.pools()[0].state == "quiet"
        site.store.queue("quick").enqueue(b"", key="k")
        site.store.scale(3)
        _up(site, 3)
        wait_until(lambda: {each.state for each in _workers(site)} == {"quiet"}, "it is quiet too")
        # Somebody who is not quiet takes it, so it was there to be taken.
        (claim,) = site.store.queue("quick").claim(lease=30)
        claim.release()

        pool.send_signal(signal.SIGCONT)
        wait_until(site.effects, "it is handled")
        _end(pool)


def test_a_reload_replaces_every_worker_one_by_one_and_loses_nothing(site: Site) -> None:
    app = site.folder / "app.py"
    with running(site.work("--workers", "3"), cwd=site.folder) as pool:
        line_of(pool)
        before = _up(site, 3)
        site.store.queue("gated").enqueue(b"", key="held")
        wait_until(lambda: site.begun("held", 1), "it begins")
        text = app.read_text()
        app.write_text(
            text + '\n@app.task("new")\ndef new(message, ctx):\n    effect(message, ctx)\n'
        )
        site.store.queue("new").enqueue(b"", key="new")

        pool.send_signal(signal.SIGHUP)
        wait_until(lambda: _says(site, "reloaded"), "the reload to end")
        wait_until(lambda: any(key == "new" for key, _, _ in site.effects()), "new code runs")
        wait_until(lambda: len(_pids(site) - before) == 3, "three new ones")
        # The one that had begun is let end.
        assert site.begun("held", 1) in {each.pid for each in site.store.workers()}
        (site.folder / "go").touch()
        wait_until(lambda: any(key == "held" for key, _, _ in site.effects()), "it ends")
        _end(pool)

    assert [(key, attempt) for key, attempt, _ in site.effects() if key == "held"] == [("held", 1)]


def test_stacks_of_every_worker_go_to_the_log(site: Site) -> None:
    site.store.queue("gated").enqueue(b"", key="k")
    with running(site.work("--workers", "2"), cwd=site.folder) as pool:
        line_of(pool)
        wait_until(lambda: site.begun("k", 1), "it begins")
        pool.send_signal(signal.SIGUSR1)
        wait_until(lambda: [x["event"] for x in _log(site)].count("stacks") >= 2, "both stacks")
        (site.folder / "go").touch()
        _end(pool)

    stacks = {line["pid"]: str(line["stacks"]) for line in _log(site) if line["event"] == "stacks"}
    (begun,) = [pid for pid, text in stacks.items() if "in gated" in text]
    assert begun == site.begun("k", 1)


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGTERM])
def test_now_means_now_and_what_was_begun_is_given_back(site: Site, number: signal.Signals) -> None:
    receipt = site.store.queue("gated").enqueue(b"", key="k")
    with running(site.work("--workers", "2"), cwd=site.folder) as pool:
        line_of(pool)
        wait_until(lambda: site.begun("k", 1), "it begins")
        if number == signal.SIGTERM:  # twice is now
            pool.send_signal(number)
            wait_until(lambda: _says(site, "stopping"), "it hears the first")
        pool.send_signal(number)
        assert pool.wait(timeout=PATIENCE_SECONDS) == 0

    assert is_gone(site.begun("k", 1))
    assert site.state(receipt.message_id) == "ready"
    assert site.store.workers() == []
    assert site.store.pools() == []


def test_a_pool_outlives_its_forkserver(site: Site) -> None:
    with running(site.work("--workers", "2"), cwd=site.folder) as pool:
        line_of(pool)
        before = _up(site, 2)
        (forkserver,), (app,) = named("fp-forkserver", pool.pid), named("fp-app", pool.pid)
        os.kill(forkserver, signal.SIGKILL)
        site.store.scale(3)
        _up(site, 3)
        os.kill(app, signal.SIGKILL)
        site.store.scale(4)
        _up(site, 4)
        assert before < _pids(site)
        _end(pool)


def test_a_forkserver_that_dies_is_collected_and_replaced_before_it_is_needed(site: Site) -> None:
    with running(site.work("--workers", "2"), cwd=site.folder) as pool:
        line_of(pool)
        workers = _up(site, 2)
        for spare in set(children_of(pool.pid)) - workers:
            os.kill(spare, signal.SIGKILL)
            wait_until(lambda: not Path(f"/proc/{spare}").exists(), "it is waited for")  # noqa: B023
        wait_until(lambda: len(children_of(pool.pid)) == 4, "there are others")
        assert _pids(site) == workers
        _end(pool)


def test_children_die_with_their_supervisor(site: Site) -> None:
    with running(site.work("--workers", "2"), cwd=site.folder) as pool:
        line_of(pool)
        children = children_of(pool.pid)
        assert len(children) == 4  # with the forkserver, and the app that was loaded
        pool.kill()
        pool.wait()
        wait_until(lambda: all(is_gone(child) for child in children), "all are gone")


def test_what_a_dead_worker_left_behind_is_reaped(site: Site) -> None:
    site.store.queue("leaving-behind").enqueue(b"", key="k")
    with running(site.work("--workers", "1"), cwd=site.folder) as pool:
        line_of(pool)
        wait_until(lambda: (site.folder / "left").exists() and site.effects(), "it left a process")
        stray = int((site.folder / "left").read_text())
        (worker,) = _up(site, 1)
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: stray in children_of(pool.pid), "the stray is adopted")
        (site.folder / "go").touch()
        wait_until(lambda: not Path(f"/proc/{stray}").exists(), "it is waited for")
        _end(pool)


def test_an_app_that_does_not_load_in_time_is_loaded_again(site: Site) -> None:
    app = site.folder / "app.py"
    hang = (
        "\nif not (here / 'second').exists():\n"
        "    import multiprocess\n"
        "    if multiprocess.current_process().name == 'fencepost-app':\n"
        "        (here / 'second').touch()\n"
        "        wait_for('never')\n"
    )
    app.write_text(app.read_text() + hang)
    with running(site.work("--workers", "1", "--start-timeout", "2"), cwd=site.folder) as pool:
        line_of(pool)
        _end(pool)

    assert any("not loaded after 2 s" in str(line.get("error")) for line in _log(site))


def test_a_pool_works_though_nobody_reads_that_it_is_ready(site: Site) -> None:
    site.store.queue("quick").enqueue(b"", key="k")

    with running(site.work("--workers", "1"), cwd=site.folder) as pool:
        assert pool.stdout is not None
        pool.stdout.close()
        wait_until(lambda: site.state(1) == "done", "the message")
        pool.send_signal(signal.SIGTERM)
        assert pool.wait(timeout=60) == 0


PROGRAM = """
import sys
from fencepost import App

app = App("store.db")

@app.task("quick")
def quick(message, ctx):
    pass

if __name__ == "__main__":
    sys.executable = "/bin/false"
    print(app.work(workers=1))
"""


def test_a_pool_whose_processes_end_before_they_begin_gives_up(site: Site) -> None:
    (site.folder / "program.py").write_text(PROGRAM)

    with running(["program.py"], cwd=site.folder) as program:
        assert line_of(program) == "False"

    assert "the forkserver does not start" in {line["event"] for line in _log(site)}
