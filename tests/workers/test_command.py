"""A command as a handler."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from fencepost import Discard, InvalidInput, Message, Retry
from fencepost.app.command.handler import Command, Commands
from fencepost.app.steps.proof import Proof

from ..processes import is_gone, wait_until

Handle = Callable[..., None]


def message(body: bytes = b"", **fields: Any) -> Message:
    given: dict[str, Any] = {
        "id": 7,
        "source": "github",
        "key": "order-7",
        "event": "push",
        "headers": {"x-github-event": "push"},
        "received_at": 1_700_000_000.5,
    }
    return Message(body=body, **{**given, **fields})


def context(**fields: Any) -> Any:
    store = SimpleNamespace(
        engine=SimpleNamespace(identity=SimpleNamespace(address="/srv/hooks.db"))
    )
    proof = Proof("/srv/hooks.db", 9, 41, "token", "", None)
    given = {
        "proof": lambda folder: msgspec.structs.replace(proof, folder=folder),
        "note_steps": lambda: None,
        "attempt": 2,
        "fence": 41,
        "idempotency_key": "ab" * 32,
        "lost": False,
        "store": store,
    }
    return SimpleNamespace(**{**given, **fields})


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Callable[..., Command]]:
    """Makes a handler of a shell script."""
    made: list[Command] = []

    def make(text: str, *, timeout: float | None = None, shebang: str = "#!/bin/sh\n") -> Command:
        path = tmp_path / f"script-{len(made)}.sh"
        path.write_text(shebang + text)
        path.chmod(0o755)
        app = Commands("unused.db", str(path), ("mail",), timeout)()
        command = app.handlers["mail"].function
        assert isinstance(command, Command)
        made.append(command)
        return command

    yield make
    for command in made:
        command.runner.close()


@pytest.fixture
def shown(script: Callable[..., Command], tmp_path: Path) -> Callable[[Message], dict[str, str]]:
    """Returns the environment that a command sees for a message."""

    def show(given: Message) -> dict[str, str]:
        script(f"env -0 > {tmp_path}/env")(given, context())
        pairs = (tmp_path / "env").read_bytes().decode().rstrip("\0").split("\0")
        return dict(pair.split("=", 1) for pair in pairs)

    return show


def pid_in(file: Path) -> int:
    return int(wait_until(lambda: file.exists() and file.read_text().strip(), f"a pid in {file}"))


def test_the_body_is_on_its_stdin(script: Callable[..., Command], tmp_path: Path) -> None:
    body = bytes(range(256)) * 4096

    script(f"cat > {tmp_path}/body")(message(body), context())

    assert (tmp_path / "body").read_bytes() == body


def test_a_command_need_not_read_a_large_body(script: Callable[..., Command]) -> None:
    script("exit 0")(message(b"x" * 20_000_000), context())


# COMMAND-3
def test_what_is_known_of_the_message_is_in_its_environment(
    shown: Callable[[Message], dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FENCEPOST_HEADER_X_LEFT", "of another message")
    monkeypatch.setenv("FENCEPOST_STORE", "other.db")

    found = {
        name: value
        for name, value in shown(message(headers={"x-github-event": "pus\u00e9"})).items()
        if name.startswith("FENCEPOST_")
    }

    assert json.loads(found.pop("FENCEPOST_HEADERS")) == {"x-github-event": "pus\u00e9"}
    assert found == {
        "FENCEPOST_STORE": "/srv/hooks.db",
        "FENCEPOST_QUEUE": "mail",
        "FENCEPOST_MESSAGE_ID": "7",
        "FENCEPOST_KEY": "order-7",
        "FENCEPOST_SOURCE": "github",
        "FENCEPOST_EVENT": "push",
        "FENCEPOST_ATTEMPT": "2",
        "FENCEPOST_FENCE": "41",
        "FENCEPOST_IDEMPOTENCY_KEY": "ab" * 32,
        "FENCEPOST_RECEIVED_AT": "1700000000.500",
        "FENCEPOST_HEADER_X_GITHUB_EVENT": "pus\u00e9",
    }


def test_what_a_message_has_not_is_not_set(shown: Callable[[Message], dict[str, str]]) -> None:
    found = shown(message(source=None, key=None, event=""))

    assert "FENCEPOST_SOURCE" not in found
    assert "FENCEPOST_KEY" not in found
    assert found["FENCEPOST_EVENT"] == ""


def test_a_header_that_cannot_be_a_variable_is_in_the_json(
    shown: Callable[[Message], dict[str, str]],
) -> None:
    headers = {"x-nul": "a\0b", "x_github_event": "forged", "x-github-event": "push", "a=b": "c"}

    found = shown(message(headers=headers))

    assert json.loads(found["FENCEPOST_HEADERS"]) == headers
    assert [name for name in found if name.startswith("FENCEPOST_HEADER_")] == [
        "FENCEPOST_HEADER_X_GITHUB_EVENT"
    ]
    assert found["FENCEPOST_HEADER_X_GITHUB_EVENT"] == "push"


@pytest.mark.parametrize(
    ("text", "error", "reason"),
    [
        ("exit 100", Discard, "exit code 100"),
        ("echo 'no such order' >&2; exit 100", Discard, "exit code 100: no such order"),
        ("exit 1", Retry, "exit code 1"),
        ("echo no; echo paper >&2; exit 111", Retry, "exit code 111: paper"),
        ("kill -SEGV $$", Retry, "killed by SIGSEGV"),
        ("kill -40 $$", Retry, "killed by signal 40"),
        ("printf 'half \\303' >&2; exit 1", Retry, r"exit code 1: half \\xc3"),
        ("printf 'a\\000b' >&2; exit 1", Retry, r"exit code 1: a\\x00b"),
    ],
)
def test_its_exit_code_decides_and_the_end_of_its_stderr_is_kept(
    script: Callable[..., Command], text: str, error: type[Exception], reason: str
) -> None:
    with pytest.raises(error, match=f"^{reason}$"):
        script(text)(message(), context())


def test_only_the_end_of_a_long_stderr_is_kept(script: Callable[..., Command]) -> None:
    text = (
        "i=0; while [ $i -lt 3000 ]; do printf '\\342\\202\\254\\n' >&2; i=$((i+1)); done; exit 1"
    )

    with pytest.raises(Retry) as caught:
        script(text)(message(), context())

    said = str(caught.value)
    assert re.fullmatch("exit code 1: …(€\n)+€", said), said[:40]
    assert len(said) < 1100


def test_commands_run_one_after_the_other(script: Callable[..., Command], tmp_path: Path) -> None:
    command = script(f"echo $FENCEPOST_KEY >> {tmp_path}/keys")

    for n in range(20):
        command(message(key=f"k{n}"), context())

    assert (tmp_path / "keys").read_text().split() == [f"k{n}" for n in range(20)]


def test_nothing_that_a_command_starts_outlives_it(
    script: Callable[..., Command], tmp_path: Path
) -> None:
    command = script(
        f"sleep 1000 & echo $! > {tmp_path}/child\n"
        f"setsid sh -c 'echo $$ > {tmp_path}/escaped; exec sleep 1000' &\n"
        f"while [ ! -s {tmp_path}/escaped ]; do sleep 0.01; done"
    )

    command(message(), context())

    assert is_gone(pid_in(tmp_path / "child"))
    assert is_gone(pid_in(tmp_path / "escaped"))


def test_a_command_over_its_time_is_killed_with_all_that_it_started(
    script: Callable[..., Command], tmp_path: Path
) -> None:
    command = script(
        f"echo working >&2; sleep 1000 & echo $! > {tmp_path}/child; wait", timeout=2.0
    )

    with pytest.raises(Retry, match=r"^killed: not done after 2 s: working$"):
        command(message(), context())

    assert is_gone(pid_in(tmp_path / "child"))


def test_a_command_that_closes_its_stderr_is_waited_for(
    script: Callable[..., Command], tmp_path: Path
) -> None:
    script(f"exec 2>&- 1>&-; sleep 0.3; touch {tmp_path}/done")(message(), context())

    assert (tmp_path / "done").exists()


def test_a_command_ends_when_its_lease_is_lost(
    script: Callable[..., Command], tmp_path: Path
) -> None:
    ctx = context()
    command = script(f"echo $$ > {tmp_path}/pid; exec sleep 1000")
    threading.Timer(0.3, lambda: setattr(ctx, "lost", True)).start()

    with pytest.raises(Retry, match=r"^killed: its lease was lost$"):
        command(message(), ctx)

    assert is_gone(pid_in(tmp_path / "pid"))


class Interrupted(BaseException):
    """What a signal raises in the middle of a handler."""


def test_a_command_whose_handler_is_interrupted_is_killed(
    script: Callable[..., Command], tmp_path: Path
) -> None:
    def interrupt(*_: object) -> None:
        raise Interrupted

    command = script(f"echo $$ > {tmp_path}/pid; exec sleep 1000")
    before = signal.signal(signal.SIGUSR2, interrupt)
    me = threading.main_thread().ident
    assert me is not None
    threading.Timer(0.5, lambda: signal.pthread_kill(me, signal.SIGUSR2)).start()
    try:
        with pytest.raises(Interrupted):
            command(message(), context())
    finally:
        signal.signal(signal.SIGUSR2, before)

    if (tmp_path / "pid").exists():  # else it had not even begun
        assert is_gone(pid_in(tmp_path / "pid"))
    command.runner.close()


def test_the_next_command_runs_after_one_was_killed(
    script: Callable[..., Command], tmp_path: Path
) -> None:
    command = script(
        f"[ $FENCEPOST_ATTEMPT = 1 ] && exec sleep 1000; touch {tmp_path}/done", timeout=2.0
    )

    with pytest.raises(Retry):
        command(message(), context(attempt=1))
    command(message(), context(attempt=2))

    assert (tmp_path / "done").exists()


def test_a_command_has_the_signals_that_a_shell_would_give_it(
    script: Callable[..., Command],
) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with pytest.raises(Retry, match="SIGINT"):
            script("kill -INT $$; sleep 1; exit 0")(message(), context())
        with pytest.raises(Retry, match="SIGPIPE"):
            script("kill -PIPE $$; sleep 1; exit 0")(message(), context())
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_command_that_cannot_be_run_any_more_is_tried_again(
    script: Callable[..., Command],
) -> None:
    command = script("exit 0", shebang="#!/no/such/interpreter\n")

    with pytest.raises(Retry, match=r"^exit code 127: fencepost cannot run .*: No such file"):
        command(message(), context())


def test_a_killed_runner_takes_its_command_with_it_and_is_replaced(
    script: Callable[..., Command], tmp_path: Path
) -> None:
    command = script(f"echo $PPID > {tmp_path}/runner; echo $$ > {tmp_path}/pid; exec sleep 1000")

    def kill() -> None:
        os.kill(pid_in(tmp_path / "runner"), signal.SIGKILL)

    killer = threading.Timer(0.2, kill)
    killer.start()
    with pytest.raises(OSError, match="killed"):
        command(message(), context())
    killer.join()

    wait_until(lambda: is_gone(pid_in(tmp_path / "pid")), "the command to be gone")


@pytest.mark.parametrize(
    "command",
    [
        "",
        "  ",
        "'half",
        "no-such-command-anywhere",
        "./no-such-file",
        "./folder",
        "./plain",
        "a\0b",
    ],
)
def test_what_cannot_be_run_is_refused(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "plain").write_text("#!/bin/sh\n")
    monkeypatch.chdir(tmp_path)

    with pytest.raises(InvalidInput):
        Commands("unused.db", command, ("mail",))()


def test_a_command_is_split_into_words_and_sees_no_shell(tmp_path: Path) -> None:
    app = Commands("unused.db", f"touch '{tmp_path}/a b' {tmp_path}/$HOME", ("mail",))()
    command = app.handlers["mail"].function
    assert isinstance(command, Command)

    command(message(), context())
    command.runner.close()

    assert sorted(file.name for file in tmp_path.iterdir()) == ["$HOME", "a b"]


def test_the_supervisor_gives_a_command_time_to_be_killed() -> None:
    (handler,) = Commands("unused.db", "true", ("mail",), timeout=5.0)().handlers.values()

    assert handler.timeout == 15.0
