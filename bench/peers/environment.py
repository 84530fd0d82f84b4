"""An environment of its own for the measured queues: built when first asked for, then kept."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PLACE = ROOT / ".venvs/peers"
_READY = ROOT / ".venvs/peers.ready"
_FLOORS = Path(__file__).parent / "requirements.txt"


def python() -> Path:
    """Return the environment's Python, with Fencepost and all that can be installed in it."""
    wanted = f"{sys.version}\n{_FLOORS.read_text()}"
    if not _READY.exists() or json.loads(_READY.read_text())["wanted"] != wanted:
        print("building .venvs/peers", file=sys.stderr)
        _READY.unlink(missing_ok=True)
        PLACE.parent.mkdir(exist_ok=True)
        failed = _build()
        _READY.write_text(json.dumps({"wanted": wanted, "failed": failed}))
    return PLACE / "bin/python"


def failures() -> dict[str, str]:
    """Return why each distribution that could not be installed could not be."""
    failed: dict[str, str] = json.loads(_READY.read_text())["failed"] if _READY.exists() else {}
    return failed


def _build() -> dict[str, str]:
    made = _run("venv", "--without-pip", "--clear", str(PLACE))
    assert made is None, made
    own = _install("-e", str(ROOT))
    assert own is None, own
    failed = {}
    for line in _FLOORS.read_text().splitlines():
        requirement = line.partition("#")[0].strip()
        if requirement:
            error = _install(requirement)
            if error is not None:
                failed[requirement.partition(">")[0]] = error
    return failed


def _install(*what: str) -> str | None:
    # --ignore-requires-python: for litequeue, whose code runs on 3.11 all the same.
    options = ["--python", str(PLACE / "bin/python"), "install", "-q", "--ignore-requires-python"]
    return _run("pip", *options, *what)


def _run(*arguments: str) -> str | None:
    done = subprocess.run(
        [sys.executable, "-m", *arguments], check=False, capture_output=True, text=True
    )
    if done.returncode == 0:
        return None
    errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
    return (errors or [done.stderr.strip()])[-1].removeprefix("ERROR: ")
