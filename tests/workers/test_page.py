"""The page that a worker shares with its supervisor."""

from __future__ import annotations

import os

from fencepost.workers.page import IDLE, Page, Work


def test_a_supervisor_reads_what_a_worker_has_in_work() -> None:
    worker = Page()
    supervisor = Page(os.dup(worker.fd))
    assert supervisor.read() == IDLE

    worker.hold(7, 30_000, None)
    assert supervisor.read() == Work(1, 7, 30_000, None)
    worker.hold(8, 20_000, 25_000)
    assert supervisor.read() == Work(2, 7, 20_000, 25_000)
    worker.renewed(8, 50_000)
    worker.renewed(9, 1)  # no longer in work
    assert supervisor.read() == Work(2, 7, 30_000, 25_000)
    worker.drop(7)
    assert supervisor.read() == Work(1, 8, 50_000, 25_000)
    worker.drop(8)
    assert supervisor.read() == IDLE


def test_a_page_that_is_half_written_is_not_believed() -> None:
    worker = Page()
    supervisor = Page(os.dup(worker.fd))
    worker.hold(7, 30_000, None)

    os.pwrite(worker.fd, b"\xff", 20)

    assert supervisor.read() is None
    worker.renewed(7, 60_000)
    assert supervisor.read() == Work(1, 7, 60_000, None)
