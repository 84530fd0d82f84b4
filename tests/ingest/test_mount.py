"""The app mounted: where it is, what it reads, when it opens and closes its store."""

from __future__ import annotations

import asyncio
import http.client
import io
import os
import re
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import pytest

from fencepost import App

from ..processes import line_of, running, wait_until
from .inbox import SECRET, github, nothing, stored
from .ways import call_wsgi, post_asgi

CAP = 1000
DRAINED = 64 * 1024 * 1024


@pytest.fixture
def app(tmp_path: Path) -> App:
    """One source with a small cap."""
    app = App(tmp_path / "hooks.db")
    app.source("github", scheme="github", secret=SECRET, max_body=CAP)
    app.on("github")(nothing)
    return app


class Stream(io.RawIOBase):
    """A body that says how much of it was read, and fails where it is cut."""

    def __init__(self, size: int, *, cut: bool = False) -> None:
        self.size, self.count, self.cut = size, 0, cut

    def read(self, size: int = -1, /) -> bytes:
        assert size > 0  # a server's stream may wait for ever for what is behind the body
        if self.cut and self.count == self.size:
            raise OSError("the other side is gone")
        chunk = min(size, self.size - self.count)
        self.count += chunk
        return b"x" * chunk


# MOUNT-2
@pytest.mark.parametrize(
    ("mount", "path"),
    [
        ("", "/in/github"),
        ("/hooks", "/hooks/in/github"),
        ("/hooks", "/in/github"),
        ("/hooks/", "/hooks/in/github"),
        ("/pre/hooks", "/pre/hooks/in/github"),
        ("/pre/hooks", "/hooks/in/github"),
        ("/pre/hooks", "/in/github"),
        ("/in", "/in/in/github"),
        ("/in", "/in/github"),
        ("/ö", "/ö/in/github"),
        ("", "/hooks/in/github"),
        ("/api", "/api/hooks/in/github"),
    ],
)
def test_the_mount_may_be_told_or_not_left_in_the_path_or_taken_off(
    app: App, mount: str, path: str
) -> None:
    raw = {"SCRIPT_NAME": mount.encode().decode("latin-1")}
    sent = path.encode().decode("latin-1")
    headers = github(key="1")

    by_asgi = post_asgi(app.asgi(), path, b"{}", headers, root_path=mount)
    by_wsgi = call_wsgi(app.wsgi(), sent, b"{}", headers, **raw)
    app.close()

    assert by_asgi.json()["status"] == "accepted"
    assert by_wsgi.json()["status"] == "duplicate"


# MOUNT-2
@pytest.mark.parametrize(
    ("mount", "path"),
    [
        ("/hooks", "/hooks/github"),
        ("/hooks", "/hooks/in/github/"),
        ("/hooks", "/hooks/in/github/x"),
        ("/hooks", "/hooks/in/other"),
        ("/hooks", "/hooksin/github"),
        ("/hooks", "/hooks/in/"),
        ("/hooks", "in/github/healthz/"),
        ("/hooks", ""),
    ],
)
def test_what_is_nothing_of_ours_below_the_mount_is_404(app: App, mount: str, path: str) -> None:
    by_asgi = post_asgi(app.asgi(), path, b"{}", github(), root_path=mount)
    by_wsgi = call_wsgi(app.wsgi(), path, b"{}", github(), SCRIPT_NAME=mount)

    assert (by_asgi.status, by_wsgi.status) == (404, 404)
    assert not os.path.exists(app.store)


# MOUNT-2
def test_a_slash_that_the_framework_adds_is_not_the_senders(app: App) -> None:
    added = post_asgi(app.asgi(), "/in/github/", b"{}", github(), raw_path=b"/hooks/in/github")
    sent = post_asgi(app.asgi(), "/in/github/", b"{}", github(), raw_path=b"/hooks/in/github/")
    app.close()

    assert (added.status, sent.status) == (200, 404)


# MOUNT-3
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("name", ["healthz", "readyz"])
def test_its_health_is_asked_below_the_mount(app: App, name: str, method: str) -> None:
    path = f"/hooks/{name}"
    by_asgi = post_asgi(app.asgi(), path, b"", {}, method, root_path="/hooks")
    by_wsgi = call_wsgi(app.wsgi(), path, b"", {}, method, SCRIPT_NAME="/hooks")
    app.close()
    Path(app.store).unlink(missing_ok=True)
    os.mkdir(app.store)  # no store can be there
    unwell = call_wsgi(app.wsgi(), path, b"", {}, method, SCRIPT_NAME="/hooks")
    posted = call_wsgi(app.wsgi(), path, b"", {}, "POST", SCRIPT_NAME="/hooks")

    body = b'{"ok":true}' if method == "GET" else b""
    assert by_asgi == by_wsgi
    assert (by_asgi.status, by_asgi.body) == (200, body)
    assert unwell.status == (200 if name == "healthz" else 503)
    assert (posted.status, posted.headers["allow"]) == (405, "GET, HEAD")


# MOUNT-4
@pytest.mark.parametrize(
    ("size", "options", "status", "count"),
    [
        (CAP, {}, 401, CAP),
        (CAP + 1, {}, 413, CAP + 1),
        (CAP + 1, {"HTTP_EXPECT": "100-continue"}, 413, 0),
        (DRAINED + 1, {}, 413, 0),
        (CAP, {"CONTENT_LENGTH": "10"}, 401, 10),
        (CAP, {"CONTENT_LENGTH": "0"}, 401, 0),
        (CAP, {"CONTENT_LENGTH": ""}, 401, 0),
        (CAP, {"CONTENT_LENGTH": "-1"}, 400, 0),
        (CAP, {"CONTENT_LENGTH": "ten"}, 400, 0),
        (CAP, {"CONTENT_LENGTH": "\u0661"}, 400, 0),
        (CAP, {"CONTENT_LENGTH": "2000"}, 408, CAP),
        (CAP, {"CONTENT_LENGTH": "1001"}, 408, CAP),
        (10, {"CONTENT_LENGTH": "20"}, 408, 10),
        (CAP, {"CONTENT_LENGTH": "", "wsgi.input_terminated": True}, 401, CAP),
        (CAP + 1, {"CONTENT_LENGTH": "", "wsgi.input_terminated": True}, 413, CAP + 1),
        (CAP, {"CONTENT_LENGTH": "10", "wsgi.input_terminated": True}, 401, 10),
        (CAP, {"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"}, 411, 0),
    ],
)
def test_wsgi_reads_what_was_sent_and_no_byte_beyond(
    app: App, size: int, options: dict[str, Any], status: int, count: int
) -> None:
    stream = Stream(size)

    given: dict[str, Any] = {"CONTENT_LENGTH": str(size), **options, "wsgi.input": stream}
    answer = call_wsgi(app.wsgi(), "/in/github", b"", {}, **given)

    assert (answer.status, stream.count) == (status, count)


# MOUNT-4
def test_a_sender_that_breaks_off_leaves_nothing(app: App) -> None:
    given: dict[str, Any] = {"CONTENT_LENGTH": "99", "wsgi.input": Stream(9, cut=True)}

    answer = call_wsgi(app.wsgi(), "/in/github", b"", {}, **given)

    assert answer.status == 408


# MOUNT-4
def test_a_body_without_an_end_is_given_up(app: App) -> None:
    stream = Stream(10 * DRAINED)
    given: dict[str, Any] = {
        "CONTENT_LENGTH": "",
        "wsgi.input_terminated": True,
        "wsgi.input": stream,
    }

    answer = call_wsgi(app.wsgi(), "/in/github", b"", {}, **given)

    assert answer.status == 413
    assert stream.count < DRAINED + 2**20


# MOUNT-4
def test_a_chunked_body_is_read_to_its_end(app: App) -> None:
    body = b'{"n": 1}'
    given: dict[str, Any] = {
        "CONTENT_LENGTH": "",
        "wsgi.input_terminated": True,
        "wsgi.input": io.BytesIO(body),
    }

    answer = call_wsgi(app.wsgi(), "/in/github", body, github(body), **given)
    app.close()

    assert answer.status == 200


# MOUNT-4
def test_headers_that_a_server_would_refuse_are_not_sent(app: App) -> None:
    """PEP 3333 forbids those of the connection; HTTP/2 has none."""
    big = b"x" * (CAP + 1)
    started: list[Any] = []
    given = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/in/github",
        "CONTENT_LENGTH": str(len(big)),
        "wsgi.input": io.BytesIO(big),
    }

    app.wsgi()(given, lambda *start: started.extend(start))

    assert started[0] == "413 Request Entity Too Large"
    assert sorted(name for name, _ in started[1]) == ["content-length", "content-type"]


# MOUNT-5
def test_as_the_root_it_opens_its_store_at_the_start_and_closes_it_at_the_end(app: App) -> None:
    seen: list[bool] = []

    async def live() -> list[str]:
        steps = iter(["lifespan.startup", "lifespan.shutdown"])
        said: list[str] = []

        async def receive() -> MutableMapping[str, Any]:
            seen.append(os.path.exists(app.store + "-wal"))
            return {"type": next(steps)}

        async def send(event: MutableMapping[str, Any]) -> None:
            said.append(event["type"])

        await app.asgi()({"type": "lifespan"}, receive, send)
        seen.append(os.path.exists(app.store + "-wal"))
        return said

    said = asyncio.run(live())

    assert said == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert seen == [False, True, False]


# MOUNT-5
def test_a_store_that_cannot_be_opened_stops_the_server_at_its_start(tmp_path: Path) -> None:
    (tmp_path / "web.py").write_text(
        'from fencepost import App\nweb = App("no/such/folder/hooks.db").asgi()\n'
    )

    with running(["-m", "uvicorn", "web:web", "--port", "0"], cwd=tmp_path) as process:
        code = process.wait(60)

    assert code != 0
    assert "no/such/folder" in (tmp_path / "stderr").read_text()


# MOUNT-5
def test_a_server_of_ones_own_that_ends_answers_what_it_has_begun(tmp_path: Path) -> None:
    (tmp_path / "web.py").write_text(
        "from fencepost import App\n"
        "app = App('hooks.db')\n"
        f"app.source('github', scheme='github', secret={SECRET!r})\n"
        "web = app.asgi()\n"
    )
    arguments = ["-m", "uvicorn", "web:web", "--host", "127.0.0.1", "--port", "0"]

    with running(arguments, cwd=tmp_path) as process:
        errors = tmp_path / "stderr"
        found = wait_until(lambda: re.search(r":(\d+) ", errors.read_text()), "it listens")
        answer = _post(int(found[1]))
        process.terminate()
        process.wait(60)

    assert answer == 200
    assert stored(tmp_path / "hooks.db") == 1
    assert not (tmp_path / "hooks.db-wal").exists()


# MOUNT-6
def test_a_websocket_is_closed(app: App) -> None:
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "websocket.connect"}

    async def send(event: MutableMapping[str, Any]) -> None:
        sent.append(event)

    asyncio.run(app.asgi()({"type": "websocket", "path": "/in/github"}, receive, send))

    assert sent == [{"type": "websocket.close"}]


# MOUNT-6
def test_an_app_that_is_mounted_can_be_carried_to_its_workers(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(
        "from fencepost import App\n"
        "app = App('hooks.db')\n"
        f"app.source('github', scheme='github', secret={SECRET!r})\n"
        "web = app.asgi(), app.wsgi()\n"
        "app.on('github', name='print')(lambda message, ctx: print(message.key, bool(web)))\n"
        "if __name__ == '__main__':\n"
        f"    app.accept('github', {github(key='k')!r}, b'{{}}')\n"
        "    app.work(workers=1, drain=True)\n"
    )

    with running(["program.py"], cwd=tmp_path) as process:
        assert line_of(process) == "k True"
        assert process.wait(60) == 0


def _post(port: int) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", "/in/github", b"{}", github())
        return connection.getresponse().status
    finally:
        connection.close()
