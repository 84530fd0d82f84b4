"""fencepost bench: what it prints, and with what it ends."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from fencepost.stress.machine.processes import living_in

from ..processes import PATIENCE_SECONDS, fencepost, running, wait_until
from .command import Command

_SHORT = ("--rounds", "1", "--seconds", "0.01")


# BENCH-2
def test_json_is_one_object_with_all_that_was_measured(command: Command, tmp_path: Path) -> None:
    result = command("bench", "--only", "store", *_SHORT, "--json", "--folder", str(tmp_path))

    found = result.json()
    assert result.code == 0
    assert (found["rounds"], found["seconds"], found["body_bytes"]) == (1, 0.01, 1024)
    assert found["machine"]["fdatasync_p50_ms"] > 0
    assert [figure["name"] for figure in found["figures"][:3]] == [
        "enqueue",
        "claim, ack",
        "claim with acks",
    ]
    for figure in found["figures"]:
        assert len(figure["of_raw"]["rounds"]) == 1
        assert figure["of_raw"]["median"] > 0
        assert figure["of_raw_qpsg"]["median"] > 0
    assert list(tmp_path.iterdir()) == []


def test_the_table_has_a_line_for_each_and_what_the_machine_is(command: Command) -> None:
    result = command("bench", "--only", "idle", "--only", "store", *_SHORT)

    lines = result.out.splitlines()
    assert result.code == 0
    assert lines[0].split()[:2] == ["measured", "batch"]
    assert lines[1].split()[:2] == ["enqueue", "1"]
    assert lines[-2].startswith("idle pool, enqueue to handler: p50 ")
    assert "fdatasync p50 " in lines[-1]
    assert "idle, round 1 of 1" in result.err


@pytest.mark.parametrize(
    "words",
    [
        ("extra",),
        ("--only", "nonsense"),
        ("--seconds", "0"),
        ("--rounds", "0"),
        ("--folder", "missing"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_one_line_and_exit_2(command: Command, words: tuple[str, ...]) -> None:
    assert command("bench", *words).complains(2)


# BENCH-3
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_its_pool_is_started_ends_it(tmp_path: Path, number: signal.Signals) -> None:
    code = (
        "import os\n"
        f"os.register_at_fork(after_in_parent=lambda: os.kill(os.getpid(), {number}))\n"
        "from fencepost.cli import main\n"
        "main()\n"
    )
    words = ("bench", "--only", "idle", "--seconds", "60", "--folder", str(tmp_path))

    with running(["-c", code, *words], cwd=tmp_path.parent) as process:
        assert process.wait(PATIENCE_SECONDS) == 128 + number

    assert list(tmp_path.iterdir()) == []


# BENCH-3
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_its_pool_ends_with_it(tmp_path: Path, number: signal.Signals) -> None:
    words = ("bench", "--only", "idle", "--seconds", "60", "--folder", str(tmp_path))
    with running(fencepost(*words), cwd=tmp_path.parent) as process:
        (work,) = wait_until(lambda: list(tmp_path.glob("*/idle/clock")), "there is a store")
        wait_until(lambda: living_in(work), "there is a pool")

        process.send_signal(number)
        process.wait(PATIENCE_SECONDS)

    wait_until(lambda: not living_in(work), "the pool is gone")
    assert (list(tmp_path.iterdir()) == []) == (number != signal.SIGKILL)
