"""The servers without a store that bench/ingest.py runs beside the receiver."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import sys
from typing import Any

import uvicorn

from fencepost import App
from fencepost.ingest.committer import Answering, Committer
from fencepost.ingest.web.receiver import Receiver
from fencepost.ingest.web.serve import configured, listen
from fencepost.log.log import configure, log
from fencepost.store import connect
from fencepost.store.types.messages.draft import Draft
from fencepost.store.types.messages.receipt import Receipt

SECRET = sys.argv[-1]


def serve_bare() -> None:
    """Run the server with no store, with the settings of the receiver's."""
    ids = iter(range(1, 1 << 62))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            event = await receive()
            body += event.get("body", b"")
            more = event.get("more_body", False)
        given = dict(scope["headers"]).get(b"x-hub-signature-256", b"")
        expected = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        if hmac.compare_digest(expected.encode(), given):
            status, said = 200, json.dumps({"id": next(ids), "status": "accepted"}).encode()
        else:
            status, said = 401, b'{"error":"signature not accepted"}'
        length = (b"content-length", str(len(said)).encode())
        headers = [length, (b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": said})

    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=75,
    )
    _run(config)


def serve_without_store() -> None:
    """Run the receiver with a committer that answers without a commit."""

    class Forgetful(Committer):
        """Answers all that came in a turn of the loop in the next."""

        def add(self, draft: Draft, answer: Answering) -> None:
            answers.append(answer)
            if len(answers) == 1:
                asyncio.get_running_loop().call_soon(self.answer)

        def answer(self) -> None:
            log.gather()
            for each in answers:
                each(Receipt("accepted", next(ids), "ready"))
            answers.clear()
            log.flush()

    ids, answers = iter(range(1, 1 << 62)), list[Answering]()
    app = App("unused.db")
    app.source("github", scheme="github", secret=SECRET)

    @app.on("github")
    def note(message: Any, ctx: Any) -> None:
        pass

    configure()
    with connect("unused.db") as store:
        receiver = Receiver(app)
        committer = Forgetful(store.engine)
        receiver.lazy_store.open_committer = lambda: committer  # type: ignore[method-assign]
        _run(configured(receiver))


def _run(config: uvicorn.Config) -> None:
    listener = listen("127.0.0.1", 0)
    print(listener.getsockname()[1], flush=True)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    serve_bare() if sys.argv[1] == "bare" else serve_without_store()
