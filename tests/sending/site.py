"""A folder with an app that sends, and the pool that works for it."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from fencepost import Store, connect

from ..processes import fencepost, running

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

APP = (
    f"SECRET = {SECRET!r}"
    + """
import time
from pathlib import Path
from fencepost import App

here = Path(__file__).parent
app = App(str(here / "store.db"), send_to_private=True, secrets={"acme": SECRET})


@app.task("mail")
def mail(message, ctx):
    ctx.send(message.text(), {"type": "sent", "key": message.key}, secret="acme")


@app.task("blocking")
def blocking(message, ctx):
    (here / "blocked").touch()
    while not (here / "go").exists():
        time.sleep(0.01)
"""
)


class Site:
    """The folder, and its store."""

    def __init__(self, folder: Path) -> None:
        (folder / "app.py").write_text(APP)
        self.folder = folder
        self.store: Store = connect(folder / "store.db")

    @contextlib.contextmanager
    def pool(self, *options: str) -> Iterator[subprocess.Popen[str]]:
        """Run a pool with one worker until the block ends."""
        arguments = fencepost("work", str(self.folder / "app.py"), "--workers", "1", *options)
        with running(arguments, cwd=self.folder) as process:
            yield process

    def drain(self) -> str:
        """Work until nothing is left; return the log."""
        with self.pool("--drain") as pool:
            code, log = pool.wait(timeout=90), (self.folder / "stderr").read_text()
        assert code == 0, log
        return log

    def states(self) -> dict[str, int]:
        """How many webhooks are in which state."""
        stats = self.store.stats().get("outbox")
        if stats is None:
            return {}
        names = ("ready", "scheduled", "leased", "done", "dead")
        return {name: count for name in names if (count := getattr(stats, name))}
