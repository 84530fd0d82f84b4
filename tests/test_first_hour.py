"""The README's first webhook, typed as printed: two terminals, a handler, a redelivery."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from .processes import PATIENCE_SECONDS, wait_until
from .root import ROOT

_SECTION = re.compile(r"## The first webhook\n(.*?)\n## ", re.DOTALL)
_BLOCK = re.compile(r"```(sh|python)\n(.*?)```", re.DOTALL)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


class Terminal:
    """A shell in an empty home, in which lines of the README are typed."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self._port = port
        self._before = ""
        (folder / "home").mkdir(exist_ok=True)
        self._environment = {
            "HOME": str(folder / "home"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "LANG": "C.UTF-8",
        }

    def set(self, line: str) -> None:
        """Type a line whose effect on the shell lasts: cd, export."""
        # What is under test is installed already.
        self._before += line.replace(" && . .venv/bin/activate", "") + "\n"

    def start(self, line: str) -> subprocess.Popen[str]:
        """Type a line, and go on; it listens where this test does."""
        line = line.replace("--port 8000", f"--port {self._port}")
        if line.startswith("fencepost send"):
            line += f" --url http://127.0.0.1:{self._port}"
        return subprocess.Popen(
            ["bash", "-c", f"{self._before}exec {line}"],
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, line: str) -> str:
        """Type a line, and return what it printed when it ended well."""
        process = self.start(line)
        said, _ = process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 0, said
        return said


@pytest.fixture
def blocks() -> list[str]:
    """The blocks of the README's section, in their order."""
    found = _SECTION.search((ROOT / "README.md").read_text())
    assert found is not None
    return [code for _, code in _BLOCK.findall(found[1])]


# FIRST-1
def test_the_first_webhook_is_handled_once_by_typing_what_the_readme_says(
    blocks: list[str], tmp_path: Path
) -> None:
    install, handler, start, look, again = (block.strip() for block in blocks)
    assert install.endswith("pip install ../fencepost")
    (tmp_path / "hooks").mkdir()
    (tmp_path / "hooks" / "hooks.py").write_text(handler)
    port = _free_port()
    first, second = Terminal(tmp_path, port), Terminal(tmp_path, port)

    first.set("cd hooks")
    secret, up = start.splitlines()
    first.set(secret)
    receiver = first.start(up)
    try:
        output = receiver.stdout
        assert output is not None
        wait_until(lambda: f":{port}/in/github" in output.readline(), "it is up")
        lines = look.splitlines()
        second.set(lines[0])
        second.set(lines[1])
        sent = second.run(lines[2])
        wait_until(lambda: "done" in second.run(lines[3]), "the message is handled")
        rows = second.run(lines[4])
        repeated, counted = (second.run(line) for line in again.splitlines())
    finally:
        receiver.send_signal(signal.SIGINT)
        ended, _ = receiver.communicate(timeout=PATIENCE_SECONDS)

    assert json.loads(sent.partition(" ")[2]) == {"id": 1, "status": "accepted"}
    assert "first" in rows
    assert json.loads(repeated.partition(" ")[2]) == {"id": 1, "status": "duplicate"}
    assert counted.split()[-1] == "1"
    assert receiver.returncode == 0, ended
