"""fencepost stress: what it prints, and with what it ends."""

from __future__ import annotations

import importlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from fencepost.stress.harness.run import Run
from fencepost.stress.harness.scenario import Scenario

from .command import Command


def _fine(run: Run) -> None:
    run.check("nothing-lost", True, "")
    run.fault("kill", 3)
    run.figure("rate_per_second", 5)
    run.says("all is well")


def _cannot(run: Run) -> None:
    run.skip("not on this machine")


def _lost(run: Run) -> None:
    run.check("nothing-lost", False, "one is [red]gone[/red]")


@pytest.fixture(autouse=True)
def _scenarios(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    monkeypatch.syspath_prepend(root)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    sizes = {"canary": {}, "ci": {"seconds": 1}, "nightly": {}, "release": {}}
    scenarios = {
        name: Scenario(name, name, run, sizes)
        for name, run in (("fine", _fine), ("lost", _lost), ("cannot", _cannot))
    }
    module = importlib.import_module(
        "fencepost.cli.machine.stress"
    )  # the command has the same name
    monkeypatch.setattr(module, "SCENARIOS", scenarios)


def test_json_is_one_object_with_all_that_was_found(command: Command) -> None:
    result = command("stress", "fine", "--seed", "5", "--json")

    found = json.loads(result.out)
    assert result.code == 0
    assert (found["seed"], found["ok"], found["canaries"]) == (5, True, {})
    assert found["scenarios"]["fine"] == {
        "ok": True,
        "seconds": found["scenarios"]["fine"]["seconds"],
        "says": "all is well",
        "figures": {"rate_per_second": 5},
        "faults": {"kill": 3},
        "findings": [],
        "skipped": "",
        "replay": "fencepost stress fine --seed 5 --profile ci",
    }
    assert found["invariants"]["nothing-lost"] == {
        "ok": True,
        "checked": 1,
        "says": "what was acknowledged is stored, and is finished in the end",
    }


def test_a_finding_is_exit_1_with_what_it_is_and_how_to_see_it_again(
    command: Command, tmp_path: Path
) -> None:
    result = command("stress", "--seed", "5", "--seconds", "2")

    assert result.code == 1
    assert "lost: nothing-lost: one is [red]gone[/red]" in result.out
    assert "again: fencepost stress lost --seed 5 --profile ci --seconds 2" in result.out
    assert "fine" in result.out
    (kept,) = tmp_path.glob("fencepost-stress-*")
    assert str(kept) in result.out.replace("\n", "")


def test_a_missed_canary_is_said_with_what_was_found_instead_and_how_to_see_it_again(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A fault that exists, because each process plants it by its name; here it does no harm.
    module = importlib.import_module("fencepost.cli.machine.stress")
    planted = replace(module.SCENARIOS["lost"], canaries={"gives-up-early": "fences-rise"})
    monkeypatch.setitem(module.SCENARIOS, "lost", planted)

    told = command("stress", "lost", "--seed", "5")
    found = json.loads(command("stress", "lost", "--seed", "5", "--json").out)["canaries"]

    seed = found["lost/gives-up-early"]["seed"]
    assert f"canary lost/gives-up-early: fences-rise missed it, seed {seed}" in told.out
    assert "  instead: nothing-lost: one is [red]gone[/red]" in told.out
    assert told.out.count("again: fencepost stress lost --seed 5 --profile ci\n") == 2
    assert not found["lost/gives-up-early"]["caught"]
    assert found["lost/gives-up-early"]["instead"] == [
        {"invariant": "nothing-lost", "what": "one is [red]gone[/red]"}
    ]
    assert found["lost/gives-up-early"]["replay"] == "fencepost stress lost --seed 5 --profile ci"


def test_a_run_without_a_seed_takes_one_and_says_it(command: Command, tmp_path: Path) -> None:
    seeds = {json.loads(command("stress", "fine", "--json").out)["seed"] for _ in range(2)}

    assert len(seeds) == 2
    assert list(tmp_path.glob("fencepost-stress-*")) == []


def test_the_report_is_a_text_and_a_file_for_machines(command: Command, tmp_path: Path) -> None:
    folder = tmp_path / "a" / "report"

    assert command("stress", "fine", "--report", str(folder)).code == 0

    assert [each.stat().st_mode & 0o777 for each in (folder.parent, folder)] == [0o700, 0o700]
    assert "every invariant held" in (folder / "report.txt").read_text()
    assert json.loads((folder / "report.json").read_bytes())["results"][0]["name"] == "fine"


@pytest.mark.parametrize(
    "words",
    [
        ("nonsense",),
        ("--profile", "daily"),
        ("--seed", "-1"),
        ("--seconds", "0"),
        ("--processes", "0"),
        ("--folder", "missing"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_one_line_and_exit_2(command: Command, words: tuple[str, ...]) -> None:
    result = command("stress", *words)

    assert result.code == 2
    assert result.err.count("\n") == 1
    assert result.out == ""


def test_a_run_of_which_nothing_can_run_here_fails(command: Command) -> None:
    assert command("stress", "cannot").code == 1
    some = command("stress", "cannot", "fine")
    assert some.code == 0
    assert "not run here: 1 of 2 scenarios" in some.out


def test_an_option_that_changes_nothing_is_said_to(command: Command) -> None:
    assert "--processes changes nothing" in command("stress", "fine", "--processes", "3").err
    assert command("stress", "fine", "--seconds", "3").err.count("changes nothing") == 0
