"""A handler that holds the interpreter keeps nothing from other workers."""

from __future__ import annotations

import os
import signal

from ..processes import is_gone, running, wait_until
from .conftest import Site

APP = '''
import ctypes


@app.task("mixed")
def mixed(message, ctx):
    """Note it; one of them does not let go of the interpreter before it is killed."""
    if message.body == b"warm":
        return
    if message.key == "stuck" and ctx.attempt == 1:
        (here / "stuck").write_text(str(os.getpid()))
        ctypes.PyDLL(None).usleep(3600 * 10**6)
    effect(message, ctx)
'''


# PREFETCH-5, PREFETCH-6
def test_what_waits_behind_a_stuck_handler_is_begun_by_another_worker(site: Site) -> None:
    app, pid_file = site.folder / "app.py", site.folder / "stuck"
    app.write_text(app.read_text() + APP)
    queue, said = site.store.queue("mixed"), site.folder / "stderr"

    with running(site.work("--workers", "2"), cwd=site.folder) as pool:
        # Until both workers know that they can take several at once.
        queue.enqueue_many([{"body": b"warm"}] * 2000)
        wait_until(lambda: queue.stats().done == 2000, "the first")
        keys = ["stuck", *(f"behind-{n}" for n in range(40))]
        queue.enqueue_many([{"body": b"", "key": key} for key in keys])

        wait_until(lambda: queue.stats().done == 2040, "what was behind it")
        assert "gave back what a busy worker had not begun" in said.read_text()
        stuck = int(pid_file.read_text())
        assert not is_gone(stuck)
        os.kill(stuck, signal.SIGKILL)
        wait_until(lambda: queue.stats().done == 2041, "the one that was stuck")
        pool.send_signal(signal.SIGTERM)
        assert pool.wait(timeout=60) == 0

    attempts = {key: attempt for key, attempt, _ in site.effects()}
    assert attempts.pop("stuck") == 2
    assert set(attempts.values()) == {1}
    assert len(site.effects()) == 41
