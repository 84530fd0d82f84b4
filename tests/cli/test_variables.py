"""Options by FENCEPOST_... variables, and options that exclude each other."""

from __future__ import annotations

import signal
from pathlib import Path

import click
import pytest

import fencepost
from fencepost.app.command.handler import VARIABLES
from fencepost.cli import cli

from ..processes import PATIENCE_SECONDS, line_of, running
from ..processes import fencepost as fencepost_
from .command import Command, commands, run


def _options() -> list[tuple[str, click.Option]]:
    """Every option of every command, with what is typed for the command."""
    found = []
    for path, _ in commands():
        command: click.Command = cli
        for name in path:
            assert isinstance(command, click.Group)
            sub = command.get_command(click.Context(command), name)
            assert sub is not None
            command = sub
        for option in command.params:
            if isinstance(option, click.Option) and not option.is_eager:
                found.append((" ".join(path), option))
    return found


# OPTION-1
def test_every_option_has_a_variable_of_its_own_which_its_help_shows() -> None:
    seen: dict[str, str] = {}
    for path, option in _options():
        assert isinstance(option.envvar, str), (path, option.name)
        assert option.show_envvar
        assert option.envvar.startswith("FENCEPOST_")
        assert option.envvar not in VARIABLES, "a command's message would be taken for an option"
        assert not option.envvar.startswith("FENCEPOST_HEADER_")
        if option.envvar not in ("FENCEPOST_STORE", "FENCEPOST_LOG_LEVEL", "FENCEPOST_LOG_FORMAT"):
            assert seen.setdefault(option.envvar, path) == path
    assert len(seen) > 50


APP = """
from fencepost import App

app = App("hooks.db")


@app.task("mail")
def mail(message, ctx):
    pass
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with an app."""
    (tmp_path / "hooks.py").write_text(APP)
    return tmp_path


def _said(folder: Path, *options: str, **environment: str) -> str:
    """Return what a pool says once it is up."""
    with running(fencepost_("work", "hooks.py", *options), cwd=folder, env=environment) as pool:
        line = line_of(pool)
        pool.send_signal(signal.SIGTERM)
        assert pool.wait(PATIENCE_SECONDS) == 0
    return line


# OPTION-1
def test_a_variable_is_an_option_and_an_option_overrides_it(folder: Path) -> None:
    variables = {"FENCEPOST_WORK_WORKERS": "2"}
    assert "2 workers are" in _said(folder, **variables)
    assert "1 worker is" in _said(folder, "--workers", "1", **variables)
    wrong = run("work", "hooks.py", cwd=folder, FENCEPOST_WORK_WORKERS="many")
    assert wrong.complains(2)
    assert "FENCEPOST_WORK_WORKERS" in wrong.err


# OPTION-2
def test_workers_and_autoscale_together_are_refused(folder: Path) -> None:
    both = ("--workers", "2", "--autoscale", "1:3")
    assert run("work", "hooks.py", *both, cwd=folder).complains(2)
    assert run("up", "hooks.py", *both, "--port", "0", cwd=folder).complains(2)
    variables = {"FENCEPOST_WORK_WORKERS": "2"}
    assert "1 to 3 workers are" in _said(folder, "--autoscale", "1:3", **variables)
    variables |= {"FENCEPOST_WORK_AUTOSCALE": "1:3"}
    assert run("work", "hooks.py", cwd=folder, **variables).complains(2)
    assert "1 worker is" in _said(folder, "--workers", "1", **variables)


# OPTION-3
def test_less_memory_than_a_fresh_worker_has_is_refused(folder: Path) -> None:
    ended = run("work", "hooks.py", "--max-memory", "4M", "--workers", "1", cwd=folder)

    assert ended.code == 2
    assert "MiB before its first message" in ended.err.splitlines()[-1]


# OPTION-4
def test_the_version_is_said(command: Command) -> None:
    assert command("--version").out.strip().endswith(fencepost.__version__)
    assert fencepost.__version__.count(".") >= 2
