"""Ctrl-C while a command starts: one exit with 130, and nothing said."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fencepost.cli import cli

from ..processes import PATIENCE_SECONDS, fencepost, running, wait_until
from .command import Command, Result

INTERRUPT = "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n"

SCRIPT = "from fencepost.cli import main\nmain()\n"


def run(*words: str, cwd: Path) -> Result:
    """Run Python; modules in `cwd` come before those that are installed."""
    ended = subprocess.run(
        [sys.executable, *words],
        check=False,
        cwd=cwd,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(cwd)},
        timeout=PATIENCE_SECONDS,
    )
    return Result(ended.returncode, ended.stdout, ended.stderr)


@pytest.mark.parametrize("imported", ["msgspec", "click"])
@pytest.mark.parametrize("script", [True, False])
def test_a_command_interrupted_in_its_imports_exits_with_130_and_says_nothing(
    tmp_path: Path, imported: str, script: bool
) -> None:
    (tmp_path / f"{imported}.py").write_text(INTERRUPT)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/fencepost").write_text(SCRIPT)

    ended = run(*(["bin/fencepost"] if script else fencepost()), "--version", cwd=tmp_path)

    assert (ended.code, ended.out, ended.err) == (130, "", "")


def test_a_command_interrupted_while_it_imports_the_engine_exits_with_130(tmp_path: Path) -> None:
    (tmp_path / "apsw.py").write_text(INTERRUPT)

    ended = run(*fencepost("status", "--store", "hooks.db"), cwd=tmp_path)

    assert (ended.code, ended.out, ended.err.strip()) == (130, "", "")


def test_a_command_interrupted_while_it_loads_its_target_exits_with_130(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(INTERRUPT)

    ended = run(*fencepost("work", "app.py"), cwd=tmp_path)

    assert (ended.code, ended.out, ended.err.strip()) == (130, "", "")


def test_a_command_interrupted_while_it_imports_its_log_for_people_exits_with_130(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "structlog.py").write_text(INTERRUPT)
    (tmp_path / "app.py").write_text(
        "from fencepost import App\napp = App('hooks.db')\napp.queue('mails')\n"
    )

    ended = run(*fencepost("work", "app.py", "--log-format", "console"), cwd=tmp_path)

    assert (ended.code, ended.out, ended.err.strip()) == (130, "", "")


def test_an_interrupt_that_no_command_has_caught_is_130(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "main", interrupted)

    ended = command("status")

    assert (ended.code, ended.out, ended.err) == (130, "", "")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_of_stress_that_is_ended_leaves_nothing(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    words = fencepost("stress", "leases", "caps", "--seconds", "60", "--folder", "work", "--json")
    (tmp_path / "work").mkdir()

    with running(words, cwd=tmp_path) as stress:
        wait_until(lambda: list(tmp_path.glob("work/*/*/history/*")), "its processes to work")
        stress.send_signal(number)
        out, _ = stress.communicate(timeout=PATIENCE_SECONDS)

    assert (stress.returncode, out) == (code, "")
    assert len((tmp_path / "stderr").read_text().strip().splitlines()) == 1  # that it begins
    assert list((tmp_path / "work").iterdir()) == []


def test_a_command_that_is_to_ignore_interrupts_ignores_them(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "sys.argv[0] = 'fencepost'\n"
        "import fencepost\n"
        "assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN\n"
    )

    assert run("-c", code, cwd=tmp_path).code == 0


def test_a_program_that_imports_the_package_keeps_its_own_way_with_interrupts(
    tmp_path: Path,
) -> None:
    (tmp_path / "mine.py").write_text(f"import fencepost\n{INTERRUPT}")

    for words in (["mine.py"], ["-m", "mine"]):
        ended = run(*words, cwd=tmp_path)

        assert "KeyboardInterrupt" in ended.err
