"""The examples of docs/frameworks.md, each in its framework on a real server."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fencepost import App, connect

from ..ingest.inbox import SECRET, Inbox, github, nothing
from ..ingest.vectors import Headers
from ..processes import PATIENCE_SECONDS, fencepost, wait_until
from ..root import ROOT
from .environments import environment

ENVIRONMENT = {
    **os.environ,
    "GITHUB_WEBHOOK_SECRET": SECRET,
    "DJANGO_SETTINGS_MODULE": "settings",
    "PYTHONUNBUFFERED": "1",
}
SETTINGS = """
SECRET_KEY = "not secret"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "urls"
MIDDLEWARE = ["django.middleware.common.CommonMiddleware", "django.middleware.csrf.CsrfViewMiddleware"]
"""
UVICORN = ("uvicorn", "--host", "127.0.0.1", "--port", "0")
GUNICORN = ("gunicorn", "--bind", "127.0.0.1:0", "--workers", "2")


@dataclass(frozen=True, slots=True)
class Site:
    """An example: the block of its section, by number, and what serves it."""

    framework: str
    section: str
    block: int
    server: tuple[str, ...]
    file: str = "web.py"
    attribute: str = "web:web"
    reads_chunks: bool = True


SITES = {
    "fastapi": Site("fastapi", "FastAPI", 0, UVICORN),
    "fastapi-route": Site("fastapi", "FastAPI", 1, UVICORN),
    "starlette": Site("starlette", "Starlette", 0, UVICORN),
    "litestar": Site("litestar", "Litestar", 0, UVICORN),
    "flask": Site("flask", "Flask", 0, (*GUNICORN, "--threads", "4")),
    "flask-preload": Site("flask", "Flask", 0, (*GUNICORN, "--preload")),
    "flask-view": Site("flask", "Flask", 1, (*GUNICORN, "--preload", "--threads", "4")),
    "django-view-wsgi": Site(
        "django",
        "Django",
        0,
        GUNICORN,
        "urls.py",
        "django.core.wsgi:get_wsgi_application()",
        reads_chunks=False,  # nothing of Django's own does under WSGI
    ),
    "django-view-asgi": Site(
        "django",
        "Django",
        0,
        (*UVICORN, "--factory"),
        "urls.py",
        "django.core.asgi:get_asgi_application",
    ),
    "django-asgi": Site("django", "Django", 1, UVICORN),
    "django-wsgi": Site("django", "Django", 2, (*GUNICORN, "--preload")),
}


def blocks(section: str) -> list[str]:
    """Return the Python examples of a section of the document, of its beginning for ""."""
    text = (ROOT / "docs/frameworks.md").read_text()
    found = re.split(r"^## ", text, flags=re.MULTILINE)
    (part,) = [part for part in found if part.startswith(section or "# ")]
    return re.findall(r"```python\n(.*?)```", part, re.DOTALL)


@contextlib.contextmanager
def served(site: Site, folder: Path) -> Iterator[int]:
    """Run the example in its environment; yield its port."""
    (folder / "hooks.py").write_text(blocks("")[0])
    (folder / "settings.py").write_text(SETTINGS)
    (folder / "urls.py").write_text("urlpatterns = []\n")
    (folder / site.file).write_text(blocks(site.section)[site.block])
    programs, log = environment(site.framework), folder / "server.log"
    with log.open("w") as output:
        server = subprocess.Popen(
            [programs / "python", "-m", *site.server, site.attribute],
            cwd=folder,
            env=ENVIRONMENT,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:

        def port() -> Any:
            assert server.poll() is None, log.read_text()
            return re.search(r"http://127\.0\.0\.1:(\d+)", log.read_text())

        yield int(wait_until(port, "the server has said where it listens")[1])
        server.send_signal(signal.SIGTERM)
        server.wait(PATIENCE_SECONDS)
    finally:
        server.kill()
        server.wait()
    assert "Traceback" not in log.read_text()


def post(port: int, headers: Headers, body: bytes | Iterator[bytes] = b"{}") -> str:
    """Send one webhook; return what became of it."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    with contextlib.closing(connection):
        chunked = not isinstance(body, bytes)
        connection.request("POST", "/hooks/in/github", body, headers, encode_chunked=chunked)
        answer = connection.getresponse()
        read = answer.read()
        assert answer.status == 200, read
        return str(json.loads(read)["status"])


# MOUNT-1, MOUNT-2
@pytest.mark.parametrize("site", SITES.values(), ids=list(SITES))
def test_a_hundred_webhooks_sent_thrice_are_handled_once_each(site: Site, tmp_path: Path) -> None:
    keys = [f"key-{number}" for number in range(100)]

    with served(site, tmp_path) as port, ThreadPoolExecutor(8) as senders:
        thrice = [github(key=key) for key in keys * 3]
        answers = list(senders.map(lambda headers: post(port, headers), thrice))
        app = App(tmp_path / "hooks.db")
        app.source("github", scheme="github", secret=SECRET)
        app.on("github", name="note")(nothing)
        with Inbox(app) as receiver:
            known = receiver.post(b"{}", github(key=keys[0])).json()["status"]
            new = receiver.post(b"{}", github(key="new")).json()["status"]
        again = post(port, github(key="new"))
        if site.reads_chunks:
            chunks = {**github(key="chunks"), "Transfer-Encoding": "chunked"}
            assert post(port, chunks, iter([b"{", b"}"])) == "accepted"

    handled = subprocess.run(
        [sys.executable, *fencepost("work", "hooks.py", "--drain", "--workers", "2")],
        check=True,
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
    )
    assert sorted(answers) == ["accepted"] * 100 + ["duplicate"] * 200
    assert (known, new, again) == ("duplicate", "accepted", "duplicate")
    assert sorted(re.findall(r"key-\d+", handled.stdout)) == sorted(keys)
    with connect(app.store) as store:
        done = store.deliveries(state="done", limit=1000)
    assert [each.attempt for each in done] == [1] * (102 if site.reads_chunks else 101)
    assert not (tmp_path / "hooks.db-wal").exists()  # each process has closed it at its exit
