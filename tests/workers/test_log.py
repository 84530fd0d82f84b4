"""The log is Fencepost's own, whatever an app does to what else the process has for logging."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ..processes import PATIENCE_SECONDS, fencepost, line_of, running, wait_until
from .conftest import Site

# Each is what an app, or a handler, may do to the logging of its process.
RUDE = {
    "structlog's processors raise": (
        "import structlog\n"
        "def bad(*_): raise RuntimeError('of the app')\n"
        "structlog.configure(processors=[bad], wrapper_class=structlog.stdlib.BoundLogger,"
        " logger_factory=structlog.stdlib.LoggerFactory())"
    ),
    "logging is off": (
        "import logging.config\n"
        "logging.disable()\n"
        "logging.config.dictConfig({'version': 1, 'disable_existing_loggers': True})"
    ),
    "stderr raises": (
        "import sys\n"
        "class Bad:\n"
        "    def write(self, text): raise RuntimeError('of the app')\n"
        "    flush = fileno = isatty = write\n"
        "sys.stderr = Bad()"
    ),
    "stderr is closed": "import sys\nsys.stderr.close()",
    "stderr is nothing": "import sys\nsys.stderr = sys.__stderr__ = None",
    "its descriptor is closed": "import os\nos.close(2)",
    "it is another file's": (
        "import os\nos.close(2)\nassert os.open(here / 'other', os.O_CREAT | os.O_WRONLY) == 2"
    ),
    "all descriptors up to 100 are closed that it may": (
        "import os\nfor fd in (2, *range(80, 101)):\n"
        "    try:\n        os.close(fd)\n    except OSError:\n        pass"
    ),
    "warnings are errors": "import warnings\nwarnings.simplefilter('error')",
}

HANDLERS = """
def be_rude():
    {rude}


@app.task("rude", max_attempts=1)
def rude(message, ctx):
    be_rude()
    raise RuntimeError(f"boom {{message.key}}")
"""


def _lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "stderr").read_text().splitlines()]


def _add(site: Site, code: str) -> None:
    with (site.folder / "app.py").open("a") as file:
        file.write(code)


# PROCESS-1
@pytest.mark.parametrize("rude", RUDE)
def test_what_a_handler_does_to_logging_stops_neither_it_nor_the_log(site: Site, rude: str) -> None:
    _add(site, HANDLERS.format(rude=RUDE[rude].replace("\n", "\n    ")))
    site.store.queue("rude").enqueue_many([{"body": b"", "key": f"k{n}"} for n in range(2)])

    site.drain()

    assert site.store.queue("rude").stats().dead == 2
    failures = [line for line in _lines(site.folder) if line["event"] == "handler failed"]
    assert all("Traceback" in line["exception"] for line in failures)
    assert {line["exception"].splitlines()[-1] for line in failures} >= {"RuntimeError: boom k0"}
    if (other := site.folder / "other").exists():
        assert other.read_bytes() == b""


# PROCESS-1
def test_an_exception_that_has_no_text_is_logged(site: Site) -> None:
    _add(
        site,
        "class Mute(Exception):\n"
        "    def __str__(self):\n"
        "        raise SystemExit(1)\n"
        "    __repr__ = __str__\n\n\n"
        "@app.task('rude', max_attempts=1)\n"
        "def rude(message, ctx):\n"
        "    raise Mute\n",
    )
    site.store.queue("rude").enqueue(b"")

    site.drain()

    assert site.store.queue("rude").stats().dead == 1
    assert [line["level"] for line in _lines(site.folder)].count("error") == 1


# PROCESS-2
@pytest.mark.parametrize("where", ["app", "key"])
@pytest.mark.parametrize("rude", ["structlog's processors raise", "stderr is closed"])
def test_a_bad_signature_is_answered_whatever_the_app_does_to_logging(
    tmp_path: Path, rude: str, where: str
) -> None:
    code = RUDE[rude].replace("\n", "\n    ")
    (tmp_path / "app.py").write_text(
        f"from fencepost import App\n\n\ndef be_rude():\n    {code}\n\n\n"
        "app = App('hooks.db')\n"
        "app.source('hooks', scheme='github', secret='s')\n"
        + ("be_rude()\n" if where == "app" else "@app.on('hooks', lane=lambda m: be_rude())\n")
        + ("" if where == "app" else "def handle(message, ctx):\n    pass\n")
    )
    with running(fencepost("serve", "app.py", "--port", "0"), cwd=tmp_path) as process:
        port = int(line_of(process).split()[2].rpartition(":")[2])
        answers = []
        for signature in ("sha256=" + "0" * 64, ""):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
            headers = {"X-Hub-Signature-256": signature, "X-GitHub-Delivery": "1"}
            connection.request("POST", "/in/hooks", b"{}", headers)
            answers.append(connection.getresponse().status)
            connection.close()
        said = tmp_path / "stderr"
        # A thread copies the lines there: a kill right after the answer would be too soon.
        wait_until(lambda: "refused" in said.read_text(), "the line in the log")

    assert answers == [401, 401]


# PROCESS-3
def test_what_an_app_makes_of_structlog_is_its_own(site: Site) -> None:
    _add(
        site,
        "import structlog\n"
        "structlog.configure(\n"
        "    processors=[structlog.processors.KeyValueRenderer()],\n"
        "    logger_factory=structlog.WriteLoggerFactory(),\n"
        ")\n\n\n"
        "@app.task('rude')\n"
        "def rude(message, ctx):\n"
        "    structlog.get_logger().info('mine', n=1)\n",
    )
    site.store.queue("rude").enqueue(b"")

    with running(site.work("--drain", "--workers", "1"), cwd=site.folder) as pool:
        said, _ = pool.communicate(timeout=PATIENCE_SECONDS)

    assert "n=1 event='mine'\n" in said
    assert "mine" not in (site.folder / "stderr").read_text()


# PROCESS-18
def test_lines_for_machines_import_nothing_that_is_for_people() -> None:
    code = (
        "import sys, fencepost.log.log, fencepost.workers, fencepost.cli.running.work\n"
        "fencepost.log.log.configure()\n"
        "fencepost.log.log.log.info('up')\n"
        "print([name for name in sys.modules if name in ('structlog', 'rich', 'pygments')])"
    )

    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert said.stdout == "[]\n"
    assert json.loads(said.stderr)["event"] == "up"
