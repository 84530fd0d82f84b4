"""fencepost send, against a receiver that runs."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from fencepost import connect

from ..processes import fencepost, line_of, running
from .command import Result, run

APP = """
from fencepost import App

app = App("hooks.db")
app.source("github", scheme="github", secret="s")
app.source("slack", scheme="slack", secret="s")
app.source("shop", scheme="hmac", secret="s", key="json:/order/id", event="header:X-Kind")
app.source("public", scheme="standard", secret="whpk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")


@app.on("github", "pull_request.*")
def review(message, ctx):
    pass
"""
NOWHERE = "http://127.0.0.1:9"


class Receiver:
    """A receiver that runs, and commands beside it."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url

    def send(self, *arguments: str) -> Result:
        return run("send", "app.py", *arguments, "--url", self.url, cwd=self.folder)

    def received(self) -> list[tuple[str | None, str, str | None]]:
        with connect(self.folder / "hooks.db") as store, store.transaction() as tx:
            rows = tx.execute("select source, event, key from fp_message order by id")
            return [(source, event, key) for source, event, key in rows]


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """A receiver for all tests of this file; each sends its own keys."""
    folder = tmp_path_factory.mktemp("send")
    (folder / "app.py").write_text(APP)
    (folder / "other.py").write_text(APP.replace('secret="s"', 'secret="another"'))
    with running(fencepost("serve", "app.py", "--port", "0"), cwd=folder) as process:
        yield Receiver(folder, line_of(process).split()[2])


# SEND-4
def test_the_same_message_twice_is_accepted_and_then_a_duplicate(receiver: Receiver) -> None:
    sent = receiver.send("github", "--key", "d-1", "--times", "2")

    first, second = (line.split(" ", 1) for line in sent.out.splitlines())
    assert (sent.code, sent.err) == (0, "")
    assert (first[0], json.loads(first[1])["status"]) == ("200", "accepted")
    assert (second[0], json.loads(second[1])["status"]) == ("200", "duplicate")
    assert ("github", "pull_request.created", "d-1") in receiver.received()


# SEND-4
def test_json_has_one_object_for_each(receiver: Receiver) -> None:
    sent = receiver.send("github", "--key", "d-2", "--times", "3", "--json")

    answers = sent.json()
    statuses = [answer["answer"]["status"] for answer in answers]
    assert sent.code == 0
    assert [answer["status"] for answer in answers] == [200] * 3
    assert statuses == ["accepted", "duplicate", "duplicate"]


# SEND-4
def test_event_key_and_file_are_sent_as_the_source_reads_them(receiver: Receiver) -> None:
    (receiver.folder / "order.json").write_text('{"order": {"total": 5}}')

    sent = receiver.send("shop", "--event", "paid", "--key", "o-1", "--file", "order.json")
    slack = receiver.send("slack", "--event", "command:/deploy", "--key", "t-1")

    assert json.loads(sent.out.split(" ", 1)[1])["status"] == "accepted"
    assert (slack.code, slack.out) == (0, "200\n")
    assert ("shop", "paid", "o-1") in receiver.received()
    assert ("slack", "command:/deploy", "t-1") in receiver.received()


# SEND-5
def test_what_is_refused_is_one_line_and_exit_code_1(receiver: Receiver) -> None:
    (receiver.folder / "bad").write_bytes(gzip.compress(b"{}"))

    wrong = run("send", "other.py", "github", "--url", receiver.url, cwd=receiver.folder)
    bad = receiver.send("github", "--file", "bad")
    gone = receiver.send("shop", "--file", "bad", "--json")

    assert wrong.code == bad.code == gone.code == 1
    assert wrong.out == '401 {"error":"signature not accepted"}\n'
    assert wrong.err.count("\n") == 1
    assert (
        "answered 401: signature not accepted; does the receiver have the same secret?" in wrong.err
    )
    assert "answered 400: " in bad.err
    assert gone.json()[0]["status"] == 400


# SEND-5
def test_where_nothing_listens_it_says_so(receiver: Receiver) -> None:
    for url in (NOWHERE, "127.0.0.1:9", "http://no.such.host.invalid:1/in/github"):
        sent = run("send", "app.py", "github", "--url", url, cwd=receiver.folder)

        assert sent.complains(1)
        assert "cannot reach http://" in sent.err
        assert "fencepost up" in sent.err


# SEND-5
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("app.py", "gitlab"), "no source 'gitlab'; it has github, slack, shop, public"),
        (("app.py", "public"), "a public key can check signatures, but not sign"),
        (("missing.py", "github"), "there is no file missing.py"),
        (("app.py", "github", "--file", "missing"), "missing"),
        (("app.py", "github", "--times", "0"), "--times"),
        (("app.py", "github", "--url", "ftp://x"), "not a URL"),
        (("app.py", "github", "--url", "http://x:y"), "not a URL"),
        (("app.py",), "SOURCE"),
    ],
)
def test_what_cannot_be_sent_is_wrong_usage(
    receiver: Receiver, arguments: tuple[str, ...], says: str
) -> None:
    sent = run("send", *arguments, cwd=receiver.folder)

    assert sent.code == 2
    assert says in sent.err
    assert "Traceback" not in sent.err
