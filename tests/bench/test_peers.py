"""The comparison with other queues, with Fencepost alone: the others are not installed here."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from typing import Any

import pytest

from ..root import ROOT

SMALL = ["--rounds", "1", "--sizes", "1024", "--scale", "0.01"]


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "bench.peers",
        "--only",
        "fencepost, keyed",
        *SMALL,
        *arguments,
    ]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(ROOT)
    return importlib.import_module("bench.peers.table")


def test_a_run_measures_fencepost_and_kills_its_workers() -> None:
    report = json.loads(_run("--json").stdout)

    (row,) = report["rows"]
    (figures,) = row["rounds"]
    assert row["failed"] is None
    assert figures["setting"] == "journal_mode=wal, synchronous=FULL"
    assert min(figures[name] for name in ("enqueue", "drain", "through", "in_bulk", "sync_ms")) > 0
    assert figures["twice"] == 0
    assert row["killed"].startswith("all handled, by itself")
    (turn,) = report["turns"]["1024"]
    assert turn["row"] == "fencepost, keyed=full"
    assert turn["per_second"] > 0
    assert report["machine"]["fdatasync_p50_ms"] > 0


def test_what_cannot_run_has_its_reason_in_the_table(table: Any) -> None:
    row = table.Row(table.Queue(), "full", 1024, failed="no wheel for this Python")
    row.queue.name = "other"
    row.queue.durabilities = {"full": "survived"}

    shown = table.plain(table.speeds([row], 1024))

    assert shown.splitlines()[-1] == "other full  not run: no wheel for this Python"
    assert len(table.ratios([row], 1024)) == 1  # its head alone


def test_unknown_queues_are_refused() -> None:
    command = [sys.executable, "-m", "bench.peers", "--only", "nobody"]

    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)

    assert done.returncode == 2
    assert "invalid choice: 'nobody'" in done.stderr
