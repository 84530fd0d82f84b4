"""A message passes few files, and none of them twice."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from .cli.command import run
from .processes import fencepost, line_of, running
from .root import ROOT
from .stations import BODY

_APP = """
import os
import sys
from pathlib import Path
from fencepost import App
sys.path.insert(0, {root!r})
from tests.stations import Tracer

tracer = Tracer(Path("calls"))
app = App("hooks.db")
app.source("github", scheme="github", secret="s")
if sys.argv[1] == "serve":
    tracer.start()


@app.worker_started
def begin():
    tracer.start()


@app.on("github", "push")
def handle(message, ctx):
    tracer.stop()
    Path("handled").write_bytes(message.body)
"""

# They call what they wrap, whatever that is, and look at none of it.
_WRAPPERS = {
    "store/naming.py",
    "store/sqlite/session/damage.py",
    "workers/worker/interrupts/interrupt.py",
}


def _stations() -> list[str]:
    """Return the files that the page on the design says a message passes, in order."""
    page = (ROOT / "docs/design.md").read_text()
    (table,) = re.findall(r"^\| file \| .*?\n\n", page, re.MULTILINE | re.DOTALL)
    return re.findall(r"^\| `([\w/]+\.py)` \|", table, re.MULTILINE)


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str]]:
    """Who has called whom with the message: from the socket to the disk, and to the handler."""
    folder = tmp_path_factory.mktemp("stations")
    (folder / "app.py").write_text(_APP.format(root=str(ROOT)))
    (folder / "body.json").write_bytes(b'{"a": "%s"}' % BODY)
    with running(fencepost("serve", "app.py", "--port", "0"), cwd=folder) as receiver:
        (url,) = re.findall(r"receiving on (\S+)", line_of(receiver))
        sent = run(
            *("send", "app.py", "github", "--file", "body.json", "--event", "push", "--url", url),
            cwd=folder,
        )
        assert sent.code == 0, sent.err
    ended = run("work", "app.py", "--workers", "1", "--drain", cwd=folder)
    assert ended.code == 0, ended.err
    assert BODY in (folder / "handled").read_bytes()
    found = []
    for line in (folder / "calls").read_text().splitlines():
        caller, callee = line.split()
        found.append((caller, callee))
    return found


def test_a_message_passes_at_most_nine_files(calls: list[tuple[str, str]]) -> None:
    stations = _stations()
    met = [file for call in calls for file in call if file in stations]

    assert list(dict.fromkeys(met)) == stations
    assert len(stations) <= 9


def test_a_message_enters_no_file_twice(calls: list[tuple[str, str]]) -> None:
    stations = _stations()
    entered = [callee for _, callee in calls if callee in stations]

    stops = [file for before, file in pairwise(["", *entered]) if file != before]

    assert sorted(stops) == sorted(set(stops))


def test_no_other_file_hands_it_on(calls: list[tuple[str, str]]) -> None:
    stations = _stations()
    handing = {caller for caller, callee in calls if callee in stations}

    assert handing <= {"-", *stations, *_WRAPPERS}
