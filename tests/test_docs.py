"""What the documents say runs, and what the commands are is in the documents."""

from __future__ import annotations

import configparser
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fencepost.workers import PoolOptions

from .cli.command import commands
from .documents import DOCUMENTS, EXAMPLES
from .root import ROOT


@pytest.mark.parametrize("code", EXAMPLES)
def test_python_in_the_documents_runs(code: str, tmp_path: Path) -> None:
    environment = {**os.environ, "GITHUB_WEBHOOK_SECRET": "s"}

    subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=tmp_path, env=environment, check=True
    )


def test_there_are_examples_to_run() -> None:
    assert len(EXAMPLES) >= 3


def test_the_handler_in_the_readme_has_ten_lines() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)

    assert len([line for line in code.splitlines() if line.strip()]) == 10


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_links_in_the_documents_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", document.read_text())

    for link in links:
        assert link.startswith("https://") or (document.parent / link).exists()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_links_lead_to_headings_that_are_there(document: Path) -> None:
    for path, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", document.read_text()):
        page = document.parent / path if path else document
        headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)

        assert anchor in {
            re.sub(r"[^\w\- ]", "", each).lower().replace(" ", "-") for each in headings
        }


def test_every_command_is_documented() -> None:
    text = (ROOT / "docs/operating.md").read_text()

    for words, is_group in commands():
        assert is_group or f"`{' '.join(('fencepost', *words))}" in text


# OPS-6
def test_the_systemd_unit_is_one_for_systemd_252() -> None:
    (text,) = re.findall(r"```ini\n(.*?)```", (ROOT / "docs/operating.md").read_text(), re.DOTALL)
    unit = configparser.ConfigParser()
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(text)
    service = unit["Service"]

    assert service["Type"] == "notify"  # older ones ignore "notify-reload" of 253
    assert service["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert service["KillMode"] == "mixed"
    assert int(service["TimeoutStopSec"]) > PoolOptions().grace + 3
