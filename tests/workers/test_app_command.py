"""app.command: a program that handles the events of a source."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from fencepost import App, InvalidInput, connect

from ..cli.command import run
from ..ingest.inbox import SECRET, github
from ..processes import fencepost, line_of, running

APP = f"""
from fencepost import App

app = App("hooks.db")
app.source("github", scheme="github", secret={SECRET!r})
"""


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> App:
    """An app with a source, in a folder with programs."""
    monkeypatch.chdir(tmp_path)
    _program("deploy.sh", "cat")
    _program("b c.sh", "cat")
    (tmp_path / "plain").write_text("#!/bin/sh\n")
    app = App("hooks.db")
    app.source("github", scheme="github", secret=SECRET)
    return app


def _program(name: str, text: str) -> None:
    Path(name).write_text(f"#!/bin/sh\n{text}\n")
    Path(name).chmod(0o755)


def _drained(app: App, declared: str) -> Any:
    Path("app.py").write_text(APP + declared)
    return run("work", "app.py", "--drain", "--workers", "1", cwd=Path.cwd())


# COMMAND-1
def test_a_program_handles_the_events_of_a_source(app: App) -> None:
    told = 'echo "$FENCEPOST_SOURCE $FENCEPOST_EVENT $FENCEPOST_QUEUE $(cat) $1" >> told'
    _program("deploy.sh", f'{told}; echo "$FENCEPOST_STORE" >> told')
    for event in ("push", "push.tag", "issues"):
        app.command("github", "push", ["./deploy.sh", "a b"], lane=lambda message: message.event)
        assert app.accept("github", github(event=event), b"{}").status == 200
    app.close()

    ended = _drained(app, 'app.command("github", "push", ["./deploy.sh", "a b"])')

    assert ended.code == 0, ended.err
    lines = Path("told").read_text().splitlines()
    assert lines[::2] == [f"github {event} deploy.sh {{}} a b" for event in ("push", "push.tag")]
    assert set(lines[1::2]) == {os.path.realpath("hooks.db")}


# COMMAND-1
def test_the_exit_code_decides_as_with_exec(app: App) -> None:
    _program("deploy.sh", "echo said >&2; exit ${FENCEPOST_KEY#k}")
    app.command("github", "*", "./deploy.sh", name="deploys", max_attempts=2)
    for key in ("k0", "k100", "k3"):
        assert app.accept("github", github(key=key), b"{}").status == 200
    app.close()

    declared = (
        'app.command("github", "*", "./deploy.sh", name="deploys", max_attempts=2, backoff=0)'
    )
    ended = _drained(app, declared)

    assert ended.code == 0, ended.err
    with connect(app.store) as store:
        found = {each.key: (each.state, each.attempt, each.error) for each in store.deliveries()}
    assert found == {
        "k0": ("done", 1, None),
        "k100": ("dead", 1, "exit code 100: said"),
        "k3": ("dead", 2, "exit code 3: said"),
    }


# COMMAND-3, COMMAND-6
def test_a_program_enqueues_in_the_store_that_its_message_came_from(app: App) -> None:
    enqueue = " ".join([sys.executable, *fencepost("enqueue", "next", "--key", "after")])
    _program("deploy.sh", f'cd / && printf "$FENCEPOST_EVENT" | {enqueue}')
    app.command("github", "push", "./deploy.sh")
    assert app.accept("github", github(), b"{}").status == 200
    app.close()

    declared = """
app.command("github", "push", "./deploy.sh")
app.task("next")(lambda message, ctx: print(message.body, flush=True))
"""
    ended = _drained(app, declared)

    assert ended.code == 0, ended.err
    assert "b'push'\n" in ended.out


# COMMAND-2
@pytest.mark.parametrize(
    "command",
    [
        "",
        [],
        [""],
        "./gone.sh",
        ["./gone.sh"],
        "no-such-command-anywhere",
        "./plain",
        ["./deploy.sh", 1],
        ["./deploy.sh", "a\0b"],
        [b"./deploy.sh"],
        None,
        7,
        "'half",
        ["./b c.sh"],
    ],
    ids=repr,
)
def test_what_cannot_be_run_is_refused_where_it_is_declared(app: App, command: Any) -> None:
    with pytest.raises(InvalidInput):
        app.command("github", "push", command)

    assert not app.handlers
    assert not app.routes


# COMMAND-2
def test_a_program_that_is_not_there_is_one_line(app: App) -> None:
    ended = _drained(app, 'app.command("github", "push", ["./gone.sh"])')

    assert ended.code == 2
    assert ended.err.startswith("Error: cannot load app.py: InvalidInput: there is no command")
    assert ended.err.count("\n") == 1


# COMMAND-4
def test_one_program_on_two_events_is_one_handler(app: App) -> None:
    app.command("github", "push", ["./deploy.sh"])
    app.command("github", "release", "./deploy.sh")

    assert list(app.handlers) == ["deploy.sh"]
    assert [route.pattern for route in app.routes] == ["push", "release"]
    with pytest.raises(InvalidInput, match="two handlers"):
        app.command("github", "fork", ["./deploy.sh", "--now"])
    app.command("github", "fork", ["./b c.sh"], name="other")
    assert list(app.handlers) == ["deploy.sh", "other"]


# COMMAND-5
def test_a_program_is_carried_to_the_workers_of_a_program(app: App) -> None:
    _program("deploy.sh", "cat > told")
    Path("program.py").write_text(
        APP
        + 'app.command("github", "push", ["./deploy.sh"])\n'
        + 'if __name__ == "__main__":\n'
        + f"    app.accept('github', {github(key='k')!r}, b'{{}}')\n"
        + "    print(app.work(workers=1, drain=True), flush=True)\n"
    )

    with running(["program.py"], cwd=Path.cwd()) as process:
        assert line_of(process) == "True"

    assert Path("told").read_text() == "{}"


# COMMAND-5
def test_a_program_over_its_time_is_killed(app: App) -> None:
    _program("deploy.sh", "sleep 1000 & wait")
    app.command("github", "push", ["./deploy.sh"])
    assert app.accept("github", github(), b"{}").status == 200
    app.close()

    declared = 'app.command("github", "push", ["./deploy.sh"], timeout=0.3, max_attempts=1)'
    ended = _drained(app, declared)

    assert ended.code == 0, ended.err
    with connect(app.store) as store:
        (delivery,) = store.deliveries()
    assert (delivery.state, delivery.error) == ("dead", "killed: not done after 0.3 s")
