"""Help for every command, and one line for every mistake."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from fencepost import connect

from ..processes import PATIENCE_SECONDS, fencepost
from .command import Command, commands, run

GOOD = """
from fencepost import App

app = App("hooks.db")


@app.task("mail")
def send(message, ctx):
    pass
"""


LOOKING = [("status",), ("messages", "list"), ("messages", "show", "1"), ("doctor",)]
LOOKING += [("leases", "list"), ("workers", "list"), ("workers", "show", "1")]
LOOKING += [("keys", "list"), ("keys", "list", "a", "x"), ("keys", "list", "--quarantined")]
USING_A_STORE = [*LOOKING, ("messages", "replay", "1"), ("messages", "cancel", "1")]
USING_A_STORE += [("leases", "release", "deploy")]
USING_A_STORE += [("scale", "8"), ("pause", "mail"), ("resume", "mail"), ("limit", "mail", "2")]
USING_A_STORE += [("keys", "get", "a", "x", "k"), ("keys", "delete", "a", "x", "k")]
USING_A_STORE += [("keys", "clear", "a", "x")]
USING_A_STORE += [("sweep",), ("backup", "copy.db")]
USING_A_STORE += [("migrate",), ("migrate", "--dry-run")]


@pytest.mark.parametrize("words", [(), *(words for words, _ in commands())], ids=" ".join)
@pytest.mark.parametrize("help_", ["-h", "--help"])
def test_every_command_has_help_with_an_example_that_names_it(
    command: Command, words: tuple[str, ...], help_: str
) -> None:
    shown = command(*words, help_)

    assert (shown.code, shown.err) == (0, "")
    assert " ".join(("Example: fencepost", *words)) in " ".join(shown.out.split())


def test_the_version_is_printed(command: Command) -> None:
    assert "0.1.0" in command("--version").out


@pytest.mark.parametrize(
    "words",
    [
        ("fly",),
        ("--fast",),
        ("messages", "fly"),
        ("status", "--fast"),
        ("status", "extra"),
        ("messages", "show"),
        ("messages", "show", "x"),
        ("messages", "show", "0"),
        ("messages", "show", "-1"),
        ("messages", "show", "9" * 20),
        ("messages", "replay"),
        ("messages", "replay", "--all", "1"),
        ("messages", "replay", "1", "--queue", "mail"),
        ("messages", "list", "--before", "0"),
        ("messages", "cancel", "1", "x"),
        ("messages", "list", "--limit", "0"),
        ("messages", "list", "--limit", "9" * 20),
        ("messages", "list", "--state", "lost"),
        ("messages", "list", "--queue", "a b"),
        ("messages", "list", "--queue", "\udcff"),
        ("leases", "release"),
        ("leases", "release", ""),
        ("leases", "list", "--limit", "0"),
        ("scale",),
        ("scale", "-1"),
        ("scale", "257"),
        ("scale", "many"),
        ("pause",),
        ("pause", "a b"),
        ("resume", ""),
        ("limit", "mail"),
        ("limit", "mail", "0"),
        ("limit", "mail", "some"),
        ("limit", "a b", "1"),
        ("workers", "show"),
        ("workers", "show", "0"),
        ("workers", "show", "1", "--limit", "0"),
        ("keys", "list", "owner"),
        ("keys", "list", "owner", "space", "--quarantined"),
        ("keys", "list", "owner", "a b"),
        ("keys", "get", "owner", "space"),
        ("keys", "get", "owner", "space", ""),
        ("keys", "delete", "owner", "space"),
        ("keys", "delete", "owner", "space", "a\nb"),
        ("keys", "clear", "owner"),
        ("up",),
        ("serve",),
        ("work",),
        ("serve", "app.py", "--port", "65536"),
        ("serve", "app.py", "--port", "-1"),
        ("serve", "app.py", "--port", "http"),
        ("up", "app.py", "--workers", "-1"),
        ("work", "app.py", "--workers", "0"),
        ("work", "app.py", "--autoscale", "4"),
        ("work", "app.py", "--autoscale", "4:2"),
        ("work", "app.py", "--autoscale", "2:257"),
        ("work", "app.py", "--grace", "-1"),
        ("work", "app.py", "--start-timeout", "0"),
        ("work", "app.py", "--max-handled", "0"),
        ("work", "app.py", "--max-memory", "much"),
        ("work", "app.py", "--max-memory", "0M"),
        ("up", "app.py", "--max-age", "0"),
        ("work", "app.py", "--lease", "0"),
        ("work", "app.py", "--lease", "nan"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_one_line_and_exit_2(
    path: Path, command: Command, words: tuple[str, ...]
) -> None:
    connect(str(path)).close()

    assert command(*words).complains(2)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("messages", "replay", "d1", "--all"), "give ids or --all, not both"),
        (("messages", "replay"), "give ids, or --all"),
        (("work",), "give TARGET, or --exec COMMAND"),
        (("work", "--exec", "true"), "--exec needs --queue"),
        (
            ("work", "a.py", "--autoscale", "4:2"),
            "'4:2': MIN is greater than MAX; give MIN:MAX, both from 0 to 256",
        ),
        (
            ("work", "a.py", "--autoscale", "2:257"),
            "'2:257' is out of range; give MIN:MAX, both from 0 to 256",
        ),
        (
            ("work", "a.py", "--autoscale", "4"),
            "'4' is not two numbers; give MIN:MAX, both from 0 to 256",
        ),
        (("work", "a.py", "--lease", "30s"), "'30s' is not a number of seconds from 0.1 to 86400"),
        (("work", "a.py", "--lease", "0"), "'0' is not a number of seconds from 0.1 to 86400"),
        (
            ("backup", "no-folder/copy.db"),
            "no-folder does not exist (create it, or choose another path)",
        ),
        (
            ("messages", "list", "--store", "no-folder/hooks.db"),
            "(check the path, or create the store with `fencepost up` or `fencepost work`"
            + " and --make-folder)",
        ),
    ],
)
def test_a_mistake_is_told_with_its_cure(
    path: Path, command: Command, words: tuple[str, ...], says: str
) -> None:
    connect(str(path)).close()

    assert command(*words).err.endswith(f"{says}\n")


@pytest.mark.parametrize(
    "words", [(), ("messages",), ("keys",), ("leases",), ("workers",)], ids=str
)
def test_without_a_command_there_is_help_and_exit_2(
    command: Command, words: tuple[str, ...]
) -> None:
    ended = command(*words)

    assert (ended.code, ended.out) == (2, "")
    assert "Commands:" in ended.err


@pytest.mark.parametrize("words", USING_A_STORE, ids=" ".join)
def test_without_a_store_named_a_command_asks_for_one(
    command: Command, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.delenv("FENCEPOST_STORE")

    ended = command(*words)

    assert ended.complains(2)
    assert "--store" in ended.err


def test_the_option_goes_before_the_environment(
    path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(str(path)).close()
    monkeypatch.setenv("FENCEPOST_STORE", "/nowhere/at/all.db")

    assert command("status", "--store", str(path)).code == 0
    assert command("status", "--store", f"sqlite:///{path}").code == 0
    assert command("status").code == 2


@pytest.mark.parametrize("words", USING_A_STORE[:3] + USING_A_STORE[4:], ids=" ".join)
def test_a_store_that_cannot_be_used_is_one_line_and_exit_2(
    path: Path, command: Command, words: tuple[str, ...]
) -> None:
    foreign, newer, other = (path.with_name(f"{n}.db") for n in ("foreign", "newer", "other"))
    foreign.write_bytes(b"no database at all, but long enough to be looked at" * 100)
    connect(str(newer)).close()
    _execute(newer, "pragma user_version = 99")
    _execute(other, "create table mine (a)")
    missing = path.with_name("missing.db")

    for store in (missing, path.parent / "no" / "folder.db", foreign, newer, other, path.parent):
        assert command(*words, "--store", str(store)).complains(2), store
    assert command(*words, "--store", "postgresql://host/db").complains(2)
    assert command(*words, "--store", "").complains(2)
    assert not missing.exists()
    assert not (path.parent / "no").exists()


def test_a_file_of_another_program_is_left_as_it_is(path: Path, command: Command) -> None:
    path.write_bytes(b"precious" * 1000)
    path.chmod(0o644)

    for words in USING_A_STORE:
        command(*words)

    assert path.read_bytes() == b"precious" * 1000
    assert path.stat().st_mode & 0o777 == 0o644


def test_beside_a_file_of_another_program_nothing_is_made(path: Path, command: Command) -> None:
    path.write_bytes(b"precious" * 1000)

    for words in LOOKING:
        command(*words)

    assert os.listdir(path.parent) == [path.name]


# CONN-4
@pytest.mark.parametrize("words", LOOKING, ids=" ".join)
def test_looking_makes_no_file(path: Path, command: Command, words: tuple[str, ...]) -> None:
    missing = path.with_name("missing.db")
    with connect(str(path)) as store:
        store.queue("mail").enqueue(b"{}")
        store.engine.pools.register(1)
    before = sorted(os.listdir(path.parent))

    assert command(*words).code == 0
    assert command(*words, "--store", str(missing)).code in (1, 2)

    assert sorted(os.listdir(path.parent)) == before


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("absent.py", "there is no file absent.py"),
        ("absent", "No module named"),
        ("absent.py:app", "there is no file absent.py"),
        ("good.py:other", "no 'other'"),
        ("good:other", "no 'other'"),
        ("good.py:", "neither"),
        (":app", "neither"),
        ("good.py:a-b", "neither"),
        ("", "neither"),
        ("syntax.py", "SyntaxError"),
        ("raises.py", "line 3"),
        ("leaves.py", "exit()"),
        ("good.py:send", "not a fencepost.App"),
        ("escapes.py", r"\x1b[31m"),
    ],
)
def test_a_target_that_cannot_be_had_is_one_line_and_exit_2(
    tmp_path: Path, target: str, says: str
) -> None:
    (tmp_path / "good.py").write_text(GOOD)
    (tmp_path / "syntax.py").write_text("app = (\n")
    (tmp_path / "raises.py").write_text("def fail():\n\n    raise ValueError('a\\nb')\nfail()\n")
    (tmp_path / "leaves.py").write_text("raise SystemExit(0)\n")
    (tmp_path / "escapes.py").write_text("raise ValueError('\\x1b[31m')\n")

    ended = run("work", target, "--drain", cwd=tmp_path)

    assert ended.complains(2), ended
    assert says in ended.err
    assert not (tmp_path / "hooks.db").exists()


@pytest.mark.parametrize("verb", ["up", "serve", "work"])
def test_an_app_whose_store_cannot_be_is_one_line_and_exit_2(tmp_path: Path, verb: str) -> None:
    (tmp_path / "app.py").write_text(GOOD.replace("hooks.db", "no/folder/hooks.db"))
    port = [] if verb == "work" else ["--port", "0"]

    ended = run(verb, "app.py", *port, cwd=tmp_path)

    assert ended.complains(2), ended


def test_an_address_that_cannot_be_had_is_one_line_and_exit_2(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(GOOD)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])

        assert run("serve", "app.py", "--port", port, cwd=tmp_path).complains(2)
    assert run("serve", "app.py", "--port", "0", "--host", "a..b", cwd=tmp_path).complains(2)
    assert run("serve", "app.py", "--port", "0", "--host", "192.0.2.1", cwd=tmp_path).complains(2)


def test_a_queue_without_a_handler_is_one_line_and_exit_2(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(GOOD)

    ended = run("work", "app.py", "--queue", "nobody", "--drain", cwd=tmp_path)

    assert ended.complains(2)
    assert "nobody" in ended.err
    assert "mail" in ended.err


def _execute(path: Path, sql: str) -> None:
    connection = apsw.Connection(str(path))
    connection.execute(sql)
    connection.close()


def test_a_command_imports_the_harness_only_when_it_is_the_harness() -> None:
    shown = {
        word: subprocess.run(
            [sys.executable, "-X", "importtime", *fencepost(word, "--help")],
            check=True,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
        ).stderr
        for word in ("work", "stress")
    }

    assert "fencepost.stress" in shown["stress"]
    assert "fencepost.stress" not in shown["work"]


# RETRY-8
@pytest.mark.parametrize("command", ["up", "work"])
def test_help_says_how_long_a_message_is_tried(command: str, tmp_path: Path) -> None:
    said = " ".join(run(command, "--help", cwd=tmp_path).out.split())

    assert "retried for 3 days" in said
    assert "ten attempts within 15 minutes, later ones at most 1 h apart" in said
