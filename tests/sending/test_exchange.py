"""One attempt: what is sent, what is followed, what is kept, and what is never connected to."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import pytest

from fencepost.app.sending import exchange
from fencepost.app.sending.addresses import Refused
from fencepost.app.sending.answers import Answer
from fencepost.app.sending.exchange import Exchange
from fencepost.app.sending.gates import Resolver

from .other_side import Behaviour, OtherSide, answer, other_side, raw, reset


def _post(
    url: str,
    body: bytes = b"body",
    *,
    private: bool = True,
    look: Callable[..., Any] | None = None,
) -> Answer:
    own = Exchange(private=private) if look is None else Exchange(private=private, look=look)
    return asyncio.run(own.post(url, body, {"webhook-id": "msg_1"}))


def _names(*addresses: str) -> Callable[[str, int, int], list[tuple[Any, ...]]]:
    """Have every name stand for these addresses."""

    def look(host: str, port: int, family: int) -> list[tuple[Any, ...]]:
        return [info for each in addresses for info in socket.getaddrinfo(each, port, 0, 1)]

    return look


# OUTBOX-13
def test_the_body_goes_out_byte_for_byte_and_the_answer_is_kept() -> None:
    with other_side(answer(201, b"\xff thanks")) as side:
        found = _post(side.url, b"\x00\xff\r\n")

    (request,) = side.requests
    assert request.line == "POST /hook HTTP/1.1"
    assert request.body == b"\x00\xff\r\n"
    assert request.headers["webhook-id"] == "msg_1"
    assert found.is_delivered
    assert found.result()["status"] == 201
    assert found.result()["body"] == "\ufffd thanks"


# OUTBOX-19
@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_on_the_same_host_is_followed_three_times(status: int) -> None:
    with other_side() as side:
        side.behave = _redirecting(side, status, times=3)
        found = _post(side.url)
        side.behave = _redirecting(side, status, times=4)
        too_many = _post(side.url)

    assert found.is_delivered
    assert [each.body for each in side.requests[:4]] == [b"body"] * 4
    assert [each.line.split()[1] for each in side.requests[:4]] == ["/hook", "/1", "/2", "/3"]
    assert too_many.wrong == f"answered {status}, a redirect after 3 others"
    assert len(side.requests) == 8


def _redirecting(side: OtherSide, status: int, *, times: int) -> Behaviour:
    before = len(side.requests)

    def behave(connection: socket.socket, request: Any) -> None:
        hop = len(side.requests) - before
        done = hop > times
        (answer(200) if done else answer(status, location=f"/{hop}"))(connection, request)

    return behave


# OUTBOX-19
@pytest.mark.parametrize(
    "location",
    [
        "http://localhost:{port}/hook",  # another host by its name
        "http://127.0.0.2:{port}/hook",
        "https://127.0.0.1:{port}/hook",
        "http://127.0.0.1:1/hook",
        "http://u:p@127.0.0.1:{port}/hook",
        "//127.0.0.2/hook",
        "file:///etc/passwd",
        "http://[::1",
        "",
    ],
)
def test_a_redirect_elsewhere_is_not_followed(location: str) -> None:
    with other_side() as side:
        side.behave = answer(307, location=location.format(port=side.port))
        found = _post(side.url)

    assert not found.is_delivered
    assert found.wrong == "answered 307, a redirect to another host"
    assert side.connections == 1


# OUTBOX-19
@pytest.mark.parametrize("status", [301, 302, 303])
def test_a_redirect_that_would_change_the_method_is_a_failure(status: int) -> None:
    with other_side(answer(status, location="/other")) as side:
        found = _post(side.url)

    assert (found.status, found.is_delivered, side.connections) == (status, False, 1)


# OUTBOX-18
@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.1", "0x7f000001", "2130706433", "0177.0.0.1", "localhost"),
        *("[::1]", "[::ffff:127.0.0.1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]"),
        *("10.0.0.1", "169.254.169.254", "192.168.0.1", "0.0.0.0", "0"),
        *("[fe80::1]", "[fc00::1]", "[::]", "224.0.0.1"),
    ],
)
def test_private_addresses_are_refused_in_every_form(host: str) -> None:
    with other_side() as side, pytest.raises(Refused):
        _post(f"http://{host}:{side.port}/", private=False)

    assert side.connections == 0


# OUTBOX-18
@pytest.mark.parametrize("first", [True, False])
def test_a_name_is_refused_if_one_of_its_addresses_is(first: bool) -> None:
    both = ("127.0.0.1", "192.0.2.1") if first else ("8.8.8.8", "127.0.0.1")
    with other_side() as side, pytest.raises(Refused):
        _post(f"http://two.example:{side.port}/", private=first, look=_names(*both))

    assert side.connections == 0


# OUTBOX-17
def test_a_name_is_looked_up_once_and_what_was_judged_is_connected_to() -> None:
    """A name that is public when it is judged, and this machine when it is connected to."""
    asked: list[str] = []

    def rebinding(host: str, port: int, family: int) -> list[tuple[Any, ...]]:
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "127.0.0.2"
        return socket.getaddrinfo(address, port, 0, 1)

    with other_side() as side:
        found = _post(f"http://rebinding.example:{side.port}/", look=rebinding)

    assert found.is_delivered
    assert asked == ["rebinding.example"]
    assert side.requests[0].headers["host"] == f"rebinding.example:{side.port}"


# OUTBOX-17
def test_a_name_that_turns_private_between_two_hops_is_refused() -> None:
    asked: list[str] = []

    def rebinding(host: str, port: int, family: int) -> list[tuple[Any, ...]]:
        asked.append(host)
        return socket.getaddrinfo("127.0.0.1" if len(asked) == 1 else "169.254.1.1", port, 0, 1)

    with other_side(answer(307, location="/again")) as side, pytest.raises(Refused):
        _post(f"http://rebinding.example:{side.port}/", look=rebinding)

    assert (len(asked), side.connections) == (2, 1)


# OUTBOX-17
def test_the_socket_is_judged_as_well_as_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the resolver's look there is the last gate."""
    monkeypatch.setattr(Resolver, "resolve", _unjudged)
    with other_side() as side, pytest.raises(Refused):
        _post(f"http://name.example:{side.port}/", private=False)

    assert side.connections == 0


async def _unjudged(self: Any, host: str, port: int = 0, family: Any = 0) -> Any:
    found = {"hostname": host, "host": "127.0.0.1", "port": port, "proto": 6, "flags": 0}
    return [{**found, "family": socket.AF_INET}]


# OUTBOX-17
def test_no_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with other_side() as proxy, other_side() as side:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("http_proxy", proxy.url)
        found = _post(side.url)

    assert (found.is_delivered, proxy.connections) == (True, 0)


# OUTBOX-20
def test_four_kibibytes_of_an_endless_answer_are_kept() -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n"
    with other_side(raw(head, *[b"x" * 65536] * 100)) as side:
        found = _post(side.url)

    assert found.is_delivered
    assert found.body == b"x" * 4096


# OUTBOX-20
def test_a_compressed_answer_is_not_inflated() -> None:
    with other_side(answer(200, b"\x1f\x8bnot gzip", content_encoding="gzip")) as side:
        found = _post(side.url)

    assert found.is_delivered
    assert found.body.startswith(b"\x1f\x8b")
    assert side.requests[0].headers["accept-encoding"] == "identity"


# OUTBOX-20
@pytest.mark.parametrize(
    "headers",
    [
        b"".join(b"x-%d: %s\r\n" % (n, b"y" * 4000) for n in range(5)),
        b"".join(b"x-%d: y\r\n" % n for n in range(500)),
        b"x: " + b"y" * 100_000 + b"\r\n",
    ],
)
def test_an_answer_with_too_many_headers_does_not_count(headers: bytes) -> None:
    with other_side(raw(b"HTTP/1.1 200 OK\r\n" + headers + b"content-length: 0\r\n\r\n")) as side:
        found = _post(side.url)

    assert not found.is_delivered
    assert found.wrong


# OUTBOX-20
@pytest.mark.parametrize(
    "parts", [[b""], [b"HTTP/1.1 200 "] + [b"O"] * 40, [b"HTTP/1.1 200 OK\r\nx: y"] + [b"y"] * 40]
)
def test_one_clock_runs_over_everything(
    monkeypatch: pytest.MonkeyPatch, parts: list[bytes]
) -> None:
    monkeypatch.setattr(exchange, "TOTAL_SECONDS", 1.0)
    with other_side(raw(*parts, pause=0.1 if len(parts) > 1 else 4)) as side:
        found = _post(side.url)

    assert found.wrong == "no answer in time"
    assert (found.status, found.response(0.0)) == (0, ("failed", 0))


# OUTBOX-20
def test_a_body_that_drips_does_not_undo_the_status(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "TOTAL_SECONDS", 1.0)
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n"
    with other_side(raw(head, *[b"d"] * 40, pause=0.1)) as side:
        found = _post(side.url)

    assert found.is_delivered
    assert 1 <= len(found.body) < 40


# OUTBOX-16
@pytest.mark.parametrize("behave", [reset, raw(b""), raw(b"garbage\r\n\r\n")])
def test_what_is_no_answer_is_a_failure_of_the_host(behave: Behaviour) -> None:
    with other_side(behave) as side:
        found = _post(side.url)

    assert found.wrong.startswith("no answer: ")
    assert found.response(0.0) == ("failed", 0)


# OUTBOX-16
def test_a_host_that_nobody_listens_on_and_an_unknown_name_are_failures() -> None:
    def unknown(host: str, port: int, family: int) -> list[tuple[Any, ...]]:
        raise socket.gaierror(-2, "Name or service not known")

    with other_side() as side:
        url = side.url
    for found in (_post(url), _post("http://unknown.example/", look=unknown)):
        assert found.wrong.startswith("no answer: ")
        assert found.response(0.0) == ("failed", 0)
