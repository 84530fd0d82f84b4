"""`fencepost step` in a command handler: a command that runs once, whatever comes after it."""

from __future__ import annotations

import sys
import tracemalloc
from pathlib import Path

import pytest

from fencepost import connect
from fencepost.app.command.steps import run_step
from fencepost.app.steps.proof import Proof

from ..cli.command import run
from ..processes import fencepost, running
from .conftest import Place

APP = ""

STEP = f"{sys.executable} -m fencepost step"


def handle(place: Place, script: str) -> str:
    """Run a shell script as the handler of one message; return the delivery's state."""
    path = place.folder / "work.sh"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    place.store.queue("work").enqueue(b"body", key="k")
    pool = ("--exec", "./work.sh", "--queue", "work", "--store", "hooks.db", "--max-attempts", "3")
    with running(
        fencepost("work", *pool, "--workers", "1", "--drain"), cwd=place.folder
    ) as process:
        assert process.wait(60) == 0
    (row,) = place.store.deliveries()
    return row.state


# STEP-27
def test_a_command_that_was_recorded_prints_its_output_and_runs_no_more(place: Place) -> None:
    charge = f"{STEP} charge -- sh -c 'echo run >> runs; echo \"charge é 7\"'"

    state = handle(
        place,
        f'echo "$({charge})/$({charge})" >> seen\ntest "$FENCEPOST_ATTEMPT" = 3',
    )

    assert state == "done"
    assert place.lines("runs") == ["run", "run"]  # two occurrences
    assert place.lines("seen") == ["charge é 7/charge é 7"] * 3
    assert place.store.read("select id from fp_step") == []


# STEP-27
def test_a_command_that_fails_is_not_recorded_and_its_code_is_passed_on(place: Place) -> None:
    state = handle(
        place,
        f"{STEP} flaky -- sh -c 'echo run >> runs; test -e again || exit 9'\n"
        "echo $? >> codes\n"
        "touch again\n"
        'test "$FENCEPOST_ATTEMPT" = 3',
    )

    assert state == "done"
    assert place.lines("runs") == ["run", "run"]
    assert place.lines("codes") == ["9", "0", "0"]


# STEP-27
def test_a_command_that_cannot_be_run_fails_as_in_a_shell(place: Place) -> None:
    (place.folder / "data").write_text("no program")

    state = handle(
        place,
        f"{STEP} none -- ./nowhere 2>> said; echo $? >> codes\n"
        f"{STEP} none -- ./data 2>> said; echo $? >> codes\n"
        "exit 100",
    )

    assert state == "dead"
    assert place.lines("codes") == ["127", "126"]
    assert place.lines("said") == [
        "step 'none' cannot run ./nowhere: No such file or directory",
        "step 'none' cannot run ./data: Permission denied",
    ]


# STEP-27, STEP-12
def test_an_output_without_end_is_not_kept_in_memory(tmp_path: Path) -> None:
    with connect(tmp_path / "hooks.db") as store:
        store.queue("work").enqueue(b"")
        (claim,) = store.queue("work").claim()
        hold = claim.hold
        proof = Proof("", hold.id, hold.fence, hold.token, str(tmp_path), None)
        tracemalloc.start()

        code = run_step(store, proof, "large", ["head", "-c", "50000000", "/dev/zero"])

        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert code == 100
        assert peak < 25_000_000  # a MiB, as text and as JSON


# STEP-27, STEP-7, STEP-12
@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("head -c 2000000 /dev/zero", "could not be kept"),
        ("echo $FENCEPOST_ATTEMPT", "was recorded"),
    ],
)
def test_what_cannot_go_on_is_dead_whatever_the_script_does(
    place: Place, command: str, why: str
) -> None:
    state = handle(
        place, f'{STEP} once -- {command} > out\necho $? >> codes\ntest "$FENCEPOST_ATTEMPT" = 2'
    )

    (row,) = place.store.deliveries()
    assert (state, place.lines("codes")[-1]) == ("dead", "100")
    assert why in str(row.error)


# STEP-27
def test_bytes_are_bytes_and_steps_side_by_side_are_all_recorded(place: Place) -> None:
    beside = "\n".join(f"{STEP} s{n} -- sh -c 'echo {n} >> runs' &" for n in range(6))
    printed = "sh -c 'echo b >> runs; cat bytes'"
    (place.folder / "bytes").write_bytes(b"\xff\0")

    state = handle(
        place,
        f"{beside}\n"
        f"{STEP} bytes -- {printed} > printed-$FENCEPOST_ATTEMPT\n"
        "wait\n"
        'test "$FENCEPOST_ATTEMPT" = 2',
    )

    assert state == "done"
    assert sorted(place.lines("runs")) == [*"012345", "b"]
    assert {path.read_bytes() for path in place.folder.glob("printed-?")} == {b"\xff\0"}


# STEP-27, STEP-15
def test_a_command_whose_claim_is_lost_runs_no_step(tmp_path: Path) -> None:
    with connect(tmp_path / "hooks.db") as store:
        store.queue("work").enqueue(b"")
        (stale,) = store.queue("work").claim()
        stale.release()
        (claim,) = store.queue("work").claim()
        hold = stale.hold
        proof = Proof("", hold.id, hold.fence, hold.token, str(tmp_path), None)

        code = run_step(store, proof, "late", ["touch", str(tmp_path / "ran")])

        assert code == 75
        assert not (tmp_path / "ran").exists()
        assert store.engine.durable.steps.records(claim.id) == []


# STEP-27
def test_outside_of_a_command_handler_there_are_no_steps(tmp_path: Path) -> None:
    refused = run("step", "charge", "--", "echo", "hi", cwd=tmp_path)

    assert refused.code == 2
    assert "in a command handler" in refused.err


# STEP-10
def test_a_commands_steps_have_at_most_so_many_bytes(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fencepost.app.command.steps.MOST_BYTES", 10)
    queue = place.store.queue("work")
    queue.enqueue(b"")
    (claim,) = queue.claim()
    attempt = tmp_path / "attempt"
    attempt.mkdir()
    hold = claim.hold
    proof = Proof("hooks.db", hold.id, hold.fence, hold.token, str(attempt), None)

    codes = [run_step(place.store, proof, name, ["echo", name]) for name in ("a", "b", "c")]

    assert codes == [0, 0, 100]
    assert "at most 10 bytes" in (attempt / "stuck").read_text()
    assert [each.name for each in place.store.engine.durable.steps.records(claim.id)] == ["a", "b"]
