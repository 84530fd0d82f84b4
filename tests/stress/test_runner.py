"""A run is believed only when every invariant held and every canary was caught."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from fencepost.stress.harness.child_processes import Me
from fencepost.stress.harness.forkserver import Forkserver
from fencepost.stress.harness.run import Run
from fencepost.stress.harness.runner import Job, run_all
from fencepost.stress.harness.scenario import Scenario
from fencepost.stress.records.history import read
from fencepost.stress.records.report import Report, Result

from .tiny import Tiny


def _pick(me: Me) -> None:
    me.history.seen("picked", number=me.random.random())


def _picks(folder: Path, seed: int, forkserver: Forkserver) -> tuple[float, float]:
    folder.mkdir()
    run = Run(Result("any", seed), folder, {}, forkserver=forkserver)
    run.start("child", _pick).join()
    (call,) = read(folder / "history")
    return run.random.random(), call.answer["number"]


def _wait(me: Me) -> None:
    me.ready(pid=os.getpid())
    while me.going:
        pass


def _fine(run: Run) -> None:
    run.progress(0.5, "half-way")
    run.check("nothing-lost", True, "")
    run.says("all is well")
    (run.folder / "left-behind").touch()


def _lost(run: Run) -> None:
    run.check("nothing-lost", False, "one is gone")
    (run.folder / "evidence").touch()


def _cannot(run: Run) -> None:
    run.skip("no such machine")


def _raises(run: Run) -> None:
    raise ZeroDivisionError("in the scenario")


def _dies(run: Run) -> None:
    os._exit(7)


def _report(
    folder: Path, run: Callable[[Run], None], trips: str | tuple[str, ...] = ()
) -> tuple[Report, list[str]]:
    # A fault that exists, because each process plants it by its name; here it does no harm.
    canaries = {"gives-up-early": trips} if trips else {}
    scenario = Scenario("any", "anything", run, {"canary": {}, "ci": {"seconds": 1}}, canaries)
    seen: list[str] = []

    def watch(jobs: Sequence[Job]) -> None:
        seen.extend(f"{job.name} {job.state}" for job in jobs)

    report = run_all([scenario], seed=3, profile="ci", folder=folder, instead={}, watch=watch)
    return report, seen


def test_the_same_seed_makes_the_same_choices_in_every_process(
    tmp_path: Path, forkserver: Forkserver
) -> None:
    first, again, other = (
        _picks(tmp_path / name, seed, forkserver) for name, seed in (("a", 7), ("b", 7), ("c", 8))
    )

    assert first == again
    assert first[0] != other[0]
    assert first[1] != other[1]


def test_a_child_can_be_stopped_continued_ended_and_killed(tiny: Tiny) -> None:
    run = tiny.run(Result("any", 1))
    one, two = run.start("one", _wait), run.start("two", _wait)
    assert one.heard() == {"pid": one.pid}

    one.stop()
    assert Path(f"/proc/{one.pid}/stat").read_text().rsplit(")")[1].split()[0] == "T"
    one.cont()
    one.enough()
    one.join()
    assert one.exit_code == 0

    assert two.heard() == {"pid": two.pid}
    two.kill()
    assert two.exit_code == -9
    with pytest.raises(EOFError):
        two.heard()


def test_a_run_in_which_all_held_is_ok_and_leaves_nothing(tmp_path: Path) -> None:
    report, seen = _report(tmp_path, _fine)

    assert report.ok
    assert report.results[0].says == "all is well"
    assert report.results[0].checked == {"nothing-lost": 1}
    assert report.results[0].replay == "fencepost stress any --seed 3 --profile ci"
    assert seen[-1] == "any ended"
    assert list(tmp_path.iterdir()) == []


def test_a_run_in_which_something_did_not_hold_keeps_its_evidence(tmp_path: Path) -> None:
    report, _ = _report(tmp_path, _lost)

    assert not report.ok
    assert [found.what for found in report.results[0].findings] == ["one is gone"]
    assert (tmp_path / "any" / "evidence").exists()


@pytest.mark.parametrize(("run", "says"), [(_raises, "in the scenario"), (_dies, "ended with 7")])
def test_a_scenario_that_breaks_is_no_success(
    tmp_path: Path, run: Callable[[Run], None], says: str
) -> None:
    report, _ = _report(tmp_path, run)

    assert not report.ok
    assert says in report.results[0].findings[0].what


@pytest.mark.parametrize(
    ("run", "trips", "caught"),
    [
        (_lost, "nothing-lost", True),
        (_lost, "fences-rise", False),
        (_lost, ("nothing-lost", "fences-rise"), False),
        (_fine, "nothing-lost", False),
    ],
)
def test_a_canary_is_caught_by_its_own_invariant_or_the_run_fails(
    tmp_path: Path, run: Callable[[Run], None], trips: str | tuple[str, ...], caught: bool
) -> None:
    report, _ = _report(tmp_path, run, trips)

    (canary,) = report.canaries
    assert canary.caught == caught
    assert report.ok == (caught and report.results[0].ok)


def test_a_canary_that_is_missed_says_what_was_found_its_seed_and_its_replay(
    tmp_path: Path,
) -> None:
    report, _ = _report(tmp_path, _lost, "fences-rise")

    (canary,) = report.canaries
    assert [found.what for found in canary.instead] == ["one is gone"]
    assert canary.seed > 3  # the last of its tries
    assert canary.replay == "fencepost stress any --seed 3 --profile ci"


def test_findings_are_kept_of_each_invariant_in_the_order_of_their_occurrence(tiny: Tiny) -> None:
    result = Result("any", 1)
    run = tiny.run(result)

    for number in range(30):
        run.broken("nothing-lost", f"{number} is gone")
    run.broken("fences-rise", "a fence fell")
    run.broken("nothing-lost", "another is gone")

    assert [found.what for found in result.findings] == [
        *(f"{number} is gone" for number in range(5)),
        "a fence fell",
    ]


def test_what_a_machine_cannot_run_is_no_failure_unless_nothing_else_runs(
    tmp_path: Path,
) -> None:
    report, _ = _report(tmp_path, _cannot, "nothing-lost")

    assert not report.ok
    assert replace(report, results=[*report.results, Result("other", 1)]).ok
    assert report.results[0].verdict == "not run"
    assert report.results[0].says == "no such machine"
    assert report.canaries[0].verdict == "not run"
    assert not report.canaries[0].caught
