"""The app of pools that recycle: a handler that leaks memory and descriptors."""

from __future__ import annotations

import os

from ....app import App, Context
from ....store import Message
from ..environment import plant_canary

QUEUE = "leaking"
LEAKED_BYTES = 512 * 1024

app = App("store.db")
_leaked: list[object] = []


@app.task(QUEUE)
def leaking(message: Message, ctx: Context) -> None:
    """Keep what it has taken, and say that it was here."""
    _leaked.append(b"x" * LEAKED_BYTES)
    _leaked.append(os.dup(0))
    fd = os.open("handled", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, f"{message.key}\n".encode())
    finally:
        os.close(fd)


plant_canary()
