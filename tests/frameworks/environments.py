"""An environment of its own for each web framework: built when first asked for, then kept.

What cannot be built fails the test that asked for it.
"""

from __future__ import annotations

import fcntl
import subprocess
import sys
import tomllib
from pathlib import Path

from ..root import ROOT

FOLDER = ROOT / ".venvs"

REQUIREMENTS = {
    "fastapi": ["fastapi>=0.115"],
    "starlette": ["starlette>=0.40"],
    "litestar": ["litestar>=2.12"],
    "flask": ["flask>=3", "gunicorn>=22"],
    "django": ["django>=5", "gunicorn>=22"],
}


def environment(name: str) -> Path:
    """Return the folder of the programs of a framework's environment."""
    FOLDER.mkdir(exist_ok=True)
    place, ready = FOLDER / name, FOLDER / f"{name}.ready"
    wanted = "\n".join([sys.version, *REQUIREMENTS[name], *_dependencies()])
    with (FOLDER / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.exists() or ready.read_text() != wanted:
            ready.unlink(missing_ok=True)
            _run("venv", "--without-pip", "--clear", str(place))
            python = str(place / "bin/python")
            install = ["--python", python, "install", "-q", "--no-compile", "-e", str(ROOT)]
            _run("pip", *install, *REQUIREMENTS[name])
            ready.write_text(wanted)
    return place / "bin"


def _dependencies() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [str(each) for each in project["dependencies"]]


def _run(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *arguments], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{' '.join(arguments)}:\n{done.stdout}{done.stderr}"
