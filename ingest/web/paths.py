"""Which request is meant by a method and a path, below the place where the app is mounted."""

from __future__ import annotations

from collections.abc import Mapping

from ..accept import no_source
from ..answer import Answer, error, wrong_method
from ..source import Source

HEALTH, READY = "/healthz", "/readyz"


def route(
    sources: Mapping[str, Source], method: str, path: str, mount: str = ""
) -> Source | str | Answer:
    """Return the source that a request is for, HEALTH, READY, or the answer to anything else.

    Args:
        mount: What servers call root_path or SCRIPT_NAME. Some leave it in the path, some
            take it off.
    """
    path = _below(mount.rstrip("/"), path)
    if path in (HEALTH, READY):
        return path if method in ("GET", "HEAD") else wrong_method("GET, HEAD")
    prefix, slash, name = path.rpartition("/")
    if prefix != "/in" or not slash:
        return error(404, "not found")
    if name not in sources:
        return no_source()
    return sources[name] if method == "POST" else wrong_method("POST")


def _below(mount: str, path: str) -> str:
    """Return a path without the mount, or without the part of it that was left in."""
    while mount:
        inner = path.removeprefix(mount)
        if inner != path and (inner in (HEALTH, READY) or inner.startswith("/in/")):
            return inner
        _, _, mount = mount[1:].partition("/")
        mount = mount and f"/{mount}"
    return path
