"""What messages cost from enqueue to done, through a pool: commits and pages of its processes."""

from __future__ import annotations

from pathlib import Path

from fencepost.speed.app import STORE
from fencepost.speed.pool import Pool

from .wal import written

MESSAGES = 2_000


# COST-6
def test_a_message_costs_a_pool_few_commits_and_pages(tmp_path: Path) -> None:
    with Pool(tmp_path / "pool", "empty") as pool:
        pool.enqueue([f"first-{n}" for n in range(100)])
        pool.drain()

        with written(tmp_path / "pool" / STORE) as wal:
            pool.enqueue([f"{n}" for n in range(MESSAGES)])
            pool.drain()

    assert wal.commits / MESSAGES <= 0.25
    assert wal.pages / MESSAGES <= 2
