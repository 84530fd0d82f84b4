"""What the tests of the command line start from."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from fencepost.cli import main

from .command import Command, Result


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store is, or would be."""
    return tmp_path / "hooks.db"


@pytest.fixture
def command(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Runs a command in this process, on the store at `path`."""
    monkeypatch.setenv("FENCEPOST_STORE", str(path))

    def run(*arguments: str) -> Result:
        monkeypatch.setattr(sys, "argv", ["fencepost", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
        assert isinstance(code, int)
        return Result(code, *capsys.readouterr())

    return run
