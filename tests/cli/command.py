"""The command line as its users meet it: arguments in; exit code, stdout and stderr out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from fencepost.cli import cli

from ..processes import PATIENCE_SECONDS, fencepost


@dataclass(frozen=True, slots=True)
class Result:
    """How a command ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Return the one JSON document that is all of stdout."""
        return json.loads(self.out)

    def complains(self, code: int) -> bool:
        """True for this exit code with one line on stderr, no traceback and no stdout."""
        line = self.err.removesuffix("\n")
        return (
            self.code == code
            and self.out == ""
            and line.startswith("Error: ")
            and "\n" not in line
            and "Traceback" not in line
        )


Command = Callable[..., Result]


def commands(
    group: click.Group = cli, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], bool]]:
    """Return every command by what is typed for it, and whether it is a group of others."""
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        yield (*path, name), isinstance(found, click.Group)
        if isinstance(found, click.Group):
            yield from commands(found, (*path, name))


def run(*arguments: str, cwd: Path, **environment: str) -> Result:
    """Run the command in a process of its own."""
    ended = subprocess.run(
        [sys.executable, *fencepost(*arguments)],
        check=False,
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    return Result(ended.returncode, ended.stdout, ended.stderr)
