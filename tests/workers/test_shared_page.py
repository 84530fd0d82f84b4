"""The page that a worker shares with its supervisor."""

from __future__ import annotations

import os

import pytest

from fencepost.workers.process.shared_page import Renewal, SharedPage, Work


def test_each_side_reads_what_the_other_has_written() -> None:
    worker = SharedPage()
    supervisor = SharedPage(os.dup(worker.fd))
    assert supervisor.work == Work()
    assert worker.renewal == Renewal()

    worker.work = Work(2, 7, 30_000, 25_000, 9, 100, 8, 12, "idle")
    supervisor.renewal = Renewal(1, 20_000, 50_000)

    assert supervisor.work == Work(2, 7, 30_000, 25_000, 9, 100, 8, 12, "idle")
    assert worker.renewal == Renewal(1, 20_000, 50_000)


@pytest.mark.parametrize("place", [0, 17, 60])
def test_what_is_half_written_is_not_believed(place: int) -> None:
    worker = SharedPage()
    supervisor = SharedPage(os.dup(worker.fd))
    worker.work = Work(1, 7, 30_000)

    os.pwrite(worker.fd, b"\xff", place)

    assert supervisor.work is None
    worker.work = Work(1, 7, 60_000)
    assert supervisor.work == Work(1, 7, 60_000)


def test_a_page_that_is_given_up_says_nothing() -> None:
    page = SharedPage()
    page.work = Work(1, 7, 30_000)
    page.close()

    page.renewal = Renewal(1, 20_000, 50_000)

    assert page.work is None
    assert page.renewal is None
