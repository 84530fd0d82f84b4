"""The receiver as it runs: a process of its own, on a socket."""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import socket
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ..processes import PATIENCE_SECONDS, fencepost, line_of, running, wait_until
from .inbox import SECRET, github, stored
from .vectors import VENDORS, Vendor, flips

APP = f"""
from fencepost import App

app = App("hooks.db")
app.source("github", scheme="github", secret={SECRET!r})


@app.on("github")
def note(message, ctx):
    pass
"""

VENDOR_SOURCES = "\n".join(
    f"app.source({name!r}, scheme={vendor.scheme!r}, secret={vendor.secret!r}, **{vendor.options})"
    for name, vendor in VENDORS.items()
    if name != "github"
)

OVER_THE_CAP = 10 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Server:
    """Where a receiver listens, and its store."""

    port: int
    store: Path

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)

    def socket(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_SECONDS)

    def is_well(self) -> bool:
        with contextlib.closing(self.connect()) as connection:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A receiver of its own process, for all tests of this file; each sends its own keys."""
    folder = tmp_path_factory.mktemp("server")
    (folder / "app.py").write_text(APP + VENDOR_SOURCES)
    with running(fencepost("serve", "app.py", "--port", "0"), cwd=folder) as process:
        announced = line_of(process)
        yield Server(int(announced.split()[2].rpartition(":")[2]), folder / "hooks.db")
        assert process.poll() is None


def post(
    connection: http.client.HTTPConnection, body: bytes, headers: dict[str, str], source: str
) -> tuple[int, Any]:
    """Send one webhook; return the status and what the answer says."""
    connection.request("POST", f"/in/{source}", body, headers)
    response = connection.getresponse()
    answer = response.read()
    return response.status, json.loads(answer) if answer else None


def payloads() -> list[tuple[str, bytes]]:
    """Return 330 events of 1 to 27 kilobytes, with and without an action: always the same."""
    dice = random.Random(330)
    kinds = ["push", "ping", "issues", "pull_request", "release", "check_run", "star"]
    made = []
    for n in range(330):
        event = kinds[n % len(kinds)]
        payload: dict[str, Any] = {
            "repository": {"id": n, "full_name": f"octo/{dice.choice('abc')}"},
            "text": dice.choice(["", "Größe geändert", "日本語", "📏👩‍🚀", '\\ " \n \u2028']),
            "filler": "".join(dice.choices("abcdefghij ", k=dice.randint(900, 26_000))),
        }
        if event not in ("push", "ping"):
            payload["action"] = dice.choice(["opened", "closed", "created"])
        made.append((event, json.dumps(payload, ensure_ascii=n % 2 == 0).encode()))
    return made


def test_deliveries_thrice_over_many_connections_are_each_accepted_once(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    sent = [(f"key-{n}", *payload) for n, payload in enumerate(payloads())] * 3
    random.Random(8).shuffle(sent)
    assert any(b"\xf0\x9f" in body for _, _, body in sent)

    with running(fencepost("serve", "app.py", "--port", "0"), cwd=tmp_path) as process:
        announced = line_of(process)
        receiver = Server(int(announced.split()[2].rpartition(":")[2]), tmp_path / "hooks.db")

        def sender(share: int) -> list[tuple[str, int, Any]]:
            with contextlib.closing(receiver.connect()) as connection:
                return [
                    (key, *post(connection, body, github(body, key=key, event=event), "github"))
                    for key, event, body in sent[share::8]
                ]

        with ThreadPoolExecutor(8) as pool:
            answers = [answer for part in pool.map(sender, range(8)) for answer in part]

    by_key: dict[str, list[Any]] = {}
    for key, status, answer in answers:
        assert status == 200
        by_key.setdefault(key, []).append(answer)
    assert len(by_key) == 330
    for same in by_key.values():
        assert len({answer["id"] for answer in same}) == 1
        assert sorted(answer["status"] for answer in same) == ["accepted", "duplicate", "duplicate"]
    assert len({same[0]["id"] for same in by_key.values()}) == 330
    assert stored(receiver.store) == 330


@pytest.mark.parametrize("vendor", VENDORS.values(), ids=VENDORS.keys())
def test_what_a_providers_own_library_signs_is_accepted_and_no_flipped_bit_of_it(
    server: Server, vendor: Vendor, request: pytest.FixtureRequest
) -> None:
    source = request.node.callspec.id
    body = vendor.body.encode()
    headers = {
        **vendor.sign(vendor.secret, vendor.body, int(time.time())),
        "Content-Type": "application/json",
    }
    flipped = random.Random(1).choice(list(flips(body)))

    with contextlib.closing(server.connect()) as connection:
        refused, _ = post(connection, flipped, headers, source)
        accepted, answer = post(connection, body, headers, source)

    assert (refused, accepted) == (401, 200)
    assert answer["status"] == "accepted"


def test_a_sender_of_far_too_much_can_read_that_it_is_too_much(server: Server) -> None:
    body = b"x" * OVER_THE_CAP

    with contextlib.closing(server.connect()) as connection:
        status, answer = post(connection, body, github(body), "github")

    assert (status, list(answer)) == (413, ["error"])
    assert server.is_well()


def test_a_sender_of_far_too_much_in_chunks_can_read_that_it_is_too_much(server: Server) -> None:
    chunks = (b"x" * 65_536 for _ in range(OVER_THE_CAP // 65_536))

    with contextlib.closing(server.connect()) as connection:
        connection.request("POST", "/in/github", chunks, github(), encode_chunked=True)
        response = connection.getresponse()

        assert response.status == 413
        assert json.loads(response.read())["error"]


def test_urllib_can_read_that_it_is_too_much(server: Server) -> None:
    address = f"http://127.0.0.1:{server.port}/in/github"
    request = urllib.request.Request(address, b"x" * OVER_THE_CAP, github())

    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=PATIENCE_SECONDS)

    with caught.value as answer:
        assert answer.code == 413
        assert json.loads(answer.read())["error"]


@pytest.mark.parametrize(("size", "said"), [(OVER_THE_CAP, b"413"), (2, b"100")])
def test_a_sender_that_asks_first_is_told_whether_to_send(
    server: Server, size: int, said: bytes
) -> None:
    head = "".join(f"{name}: {value}\r\n" for name, value in github().items())

    with server.socket() as connection:
        connection.sendall(
            b"POST /in/github HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
            + f"Content-Length: {size}\r\n{head}\r\n".encode()
        )
        interim = connection.recv(65_536)
        if said == b"100":
            connection.sendall(b"{}")
            assert connection.recv(65_536).startswith(b"HTTP/1.1 200")

    assert interim.startswith(b"HTTP/1.1 " + said)


GARBAGE = {
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 400,
    "nothing": b"\r\n\r\n\r\n\r\nx\r\n\r\n",
    "no http": b"SSH-2.0-OpenSSH_9.6\r\n",
    "bytes in the path": b"POST /in/\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
    "two lengths": b"POST /in/github HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
    b"Content-Length: 3\r\n\r\n{}x",
    "length and chunks": b"POST /in/github HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "length without measure": b"POST /in/github HTTP/1.1\r\nHost: x\r\nContent-Length: "
    + b"9" * 400
    + b"\r\n\r\n",
    "bad chunk": b"POST /in/github HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    "folded header": b"POST /in/github HTTP/1.1\r\nHost: x\r\nX-A: a\r\n b\r\n\r\n",
    "NUL in a header": b"POST /in/github HTTP/1.1\r\nHost: x\r\nX-A: a\x00b\r\n\r\n",
    "huge header": b"POST /in/github HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 2_000_000,
    "headers without end": b"POST /in/github HTTP/1.1\r\nHost: x\r\n" + b"X-A: a\r\n" * 100_000,
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_is_answered_with_an_error_and_its_connection_closed(
    server: Server, garbage: bytes
) -> None:
    with server.socket() as connection:
        said = b""
        with contextlib.suppress(ConnectionError):  # it was closed while this was sending
            connection.sendall(garbage)
        with contextlib.suppress(ConnectionError):
            while chunk := connection.recv(65_536):
                said += chunk

    assert said == b"" or said.startswith(b"HTTP/1.1 4")
    assert server.is_well()


def test_a_connection_that_does_not_come_to_its_headers_end_is_closed(server: Server) -> None:
    beginnings = [b"", b"POST /in/git", b"POST /in/github HTTP/1.1\r\nHost: x\r\nX-A: "]

    with contextlib.ExitStack() as open_ones:
        stalled = [open_ones.enter_context(server.socket()) for _ in beginnings]
        for connection, beginning in zip(stalled, beginnings, strict=True):
            connection.sendall(beginning)
        ends = [connection.recv(1) for connection in stalled]

    assert ends == [b"", b"", b""]


@pytest.mark.parametrize("protocol", ["h2c", "websocket"])
def test_an_offer_of_another_protocol_is_passed_over(server: Server, protocol: str) -> None:
    """Some HTTP clients make one with every first request."""
    offer = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": protocol, "HTTP2-Settings": "AAM"}

    with contextlib.closing(server.connect()) as connection:
        statuses = [post(connection, b"{}", {**github(), **offer}, "github")[0] for _ in range(3)]

    assert statuses == [200] * 3


def test_headers_of_a_provider_with_much_to_say_are_taken(server: Server) -> None:
    much = {**github(), "X-Much": "a" * 30_000, "X-More": "b" * 30_000}

    with contextlib.closing(server.connect()) as connection:
        statuses = [post(connection, b"{}", much, "github")[0] for _ in range(5)]

    assert statuses == [200] * 5


@pytest.mark.parametrize(
    "half",
    [
        b"",
        b"POST /in/git",
        b"POST /in/github HTTP/1.1\r\nHost: x\r\nContent-Le",
        b"POST /in/github HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n{",
        b"POST /in/github HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
    ],
)
def test_a_sender_that_breaks_off_is_forgotten(server: Server, half: bytes) -> None:
    before = stored(server.store)

    with server.socket() as connection:
        connection.sendall(half)

    assert server.is_well()
    assert stored(server.store) == before


def test_idle_and_stalled_connections_keep_nobody_out(server: Server) -> None:
    half = b"POST /in/github HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n{"

    with contextlib.ExitStack() as open_ones:
        for n in range(200):
            connection = open_ones.enter_context(server.socket())
            if n % 2:
                connection.sendall(half)
        with contextlib.closing(server.connect()) as honest:
            status, answer = post(honest, b"{}", github(), "github")

    assert (status, answer["status"]) == (200, "accepted")


def test_one_connection_serves_many_requests_also_after_an_error(server: Server) -> None:
    requests = [
        (github(), "github"),
        (github(secret="wrong"), "github"),
        (github(), "nowhere"),
        (github(key=None), "github"),
        (github(), "github"),
    ]

    with contextlib.closing(server.connect()) as connection:
        connection.connect()
        before = connection.sock
        statuses = [post(connection, b"{}", *request)[0] for request in requests]
        after = connection.sock

    assert statuses == [200, 401, 404, 400, 200]
    assert after is before


def test_requests_sent_in_one_piece_are_answered_in_their_order(server: Server) -> None:
    keys = [str(uuid.uuid4()) for _ in range(3)]

    def raw(key: str) -> bytes:
        head = "".join(f"{name}: {value}\r\n" for name, value in github(key=key).items())
        return (
            f"POST /in/github HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n{head}\r\n{{}}".encode()
        )

    with server.socket() as connection:
        connection.sendall(b"".join(raw(key) for key in [*keys, keys[0]]))
        said = b""
        while said.count(b"HTTP/1.1 200") < 4 or not said.endswith(b"}"):
            said += connection.recv(65_536)

    answers = [json.loads(part[: part.index(b"}") + 1]) for part in said.split(b"\r\n\r\n")[1:]]
    assert [answer["status"] for answer in answers] == ["accepted"] * 3 + ["duplicate"]
    assert answers[3]["id"] == answers[0]["id"]


def test_a_receiver_that_was_told_to_stop_answers_what_it_has_begun(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    with running(fencepost("serve", "app.py", "--port", "0"), cwd=tmp_path) as process:
        announced = line_of(process)
        receiver = Server(int(announced.split()[2].rpartition(":")[2]), tmp_path / "hooks.db")
        head = "".join(f"{name}: {value}\r\n" for name, value in github().items())
        with receiver.socket() as connection:
            connection.sendall(
                b"POST /in/github HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                + f"Content-Length: 2\r\n{head}\r\n".encode()
            )
            assert connection.recv(65_536).startswith(b"HTTP/1.1 100")
            process.terminate()
            wait_until(lambda: "stopping" in (tmp_path / "stderr").read_text(), "the signal")
            connection.sendall(b"{}")
            answer = connection.recv(65_536)

        assert process.wait(PATIENCE_SECONDS) == 0

    assert answer.startswith(b"HTTP/1.1 200")
    assert stored(receiver.store) == 1
