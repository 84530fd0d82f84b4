"""The pytest plugin, in runs of pytest of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HOOKS = """
from fencepost import App

app = App("/nowhere/hooks.db")
app.source("github", scheme="github", secret="s")
runs = []


@app.on("github", "push")
def deploy(message, ctx):
    runs.append(message.key)
    return message.event
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project of a user's: an app, and pytest told where it is."""
    (tmp_path / "hooks.py").write_text(HOOKS)
    (tmp_path / "pytest.ini").write_text("[pytest]\nfencepost_app = hooks.py:app\n")
    return tmp_path


def run(folder: Path, tests: str, *, alone: bool = True) -> subprocess.CompletedProcess[str]:
    """Run pytest on some tests; `alone` without the other plugins of this environment."""
    (folder / "test_hooks.py").write_text(tests)
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--strict-config", "-W", "error"]
    environment = dict(os.environ)
    if alone:
        environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        options += ["-p", "fencepost_pytest"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options],
        check=False,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )


# TESTING-11
def test_the_fixtures_are_an_app_and_its_store(folder: Path) -> None:
    ended = run(
        folder,
        """
from fencepost.testing import deliver, signed
import hooks


def test_app(fencepost_app, fencepost_store):
    headers, body = signed(fencepost_app, "github", "push", key="d-1")
    answers = [fencepost_app.accept("github", headers, body).status for _ in range(2)]
    assert answers == [200, 200]
    (delivery,) = fencepost_store.deliveries()
    assert (delivery.queue, delivery.state, delivery.key) == ("deploy", "ready", "d-1")


def test_each_test_has_its_own(fencepost_app, fencepost_store):
    assert fencepost_store.deliveries() == []
    (result,) = deliver(fencepost_app, "github", "push", {}, key="d-2")
    assert result.result == "push"
    assert hooks.runs == ["d-2"]


def test_clock(fencepost_store, fencepost_clock):
    queue = fencepost_store.queue("mail")
    queue.enqueue(b"x", delay=5)
    assert queue.claim() == []
    fencepost_clock.advance(5)
    assert queue.claim() != []
""",
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "3 passed" in ended.stdout
    assert not Path("/nowhere").exists()


# TESTING-11
@pytest.mark.parametrize(
    ("ini", "says"),
    [
        ("", 'set fencepost_app = "hooks.py:app"'),
        ("fencepost_app = missing.py", "does not exist"),
        ("fencepost_app = hooks.py:runs", "is a list, not a fencepost.App"),
    ],
)
def test_an_app_that_is_not_found_says_what_to_do(folder: Path, ini: str, says: str) -> None:
    (folder / "pytest.ini").write_text(f"[pytest]\n{ini}\n")

    ended = run(folder, "def test_app(fencepost_app): ...")

    assert ended.returncode == 1
    assert says in ended.stdout


# TESTING-11
def test_a_fixture_of_ones_own_replaces_it(folder: Path) -> None:
    (folder / "pytest.ini").unlink()

    ended = run(
        folder,
        """
import pytest
from fencepost.testing import deliver


@pytest.fixture
def fencepost_app():
    from hooks import app
    return app


def test_app(fencepost_app):
    assert [each.state for each in deliver(fencepost_app, "github", "push")] == ["done"]
""",
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr


# TESTING-12
def test_a_run_that_does_not_use_it_imports_nothing_of_it(folder: Path) -> None:
    (folder / "pytest.ini").unlink()

    ended = run(
        folder,
        """
import sys


def test_other():
    assert "fencepost_pytest" in sys.modules
    assert "fencepost" not in sys.modules
    assert "apsw" not in sys.modules
""",
        alone=False,
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
