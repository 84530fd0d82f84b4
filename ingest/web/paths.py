"""From method and path to the kind of request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ...app.source import Source
from ..accept import no_source
from ..answer import Answer, error, wrong_method
from ..resume import private

HEALTH, READY = "/healthz", "/readyz"


class Resume(NamedTuple):
    """A request that answers a wait."""

    token: str


def route(
    sources: Mapping[str, Source], method: str, path: str, *, mounted: bool
) -> Source | Resume | str | Answer:
    """Return the source or wait that a request is for, HEALTH, READY, or the answer to all else.

    Args:
        mounted: True compares only the end of the path. Servers and frameworks differ in
            whether they leave the mount in the path.
    """
    above, _, name = path.rpartition("/")
    if (last := f"/{name}") in (HEALTH, READY) and (mounted or last == path):
        return last if method in ("GET", "HEAD") else wrong_method("GET, HEAD")
    if above.endswith("/resume") if mounted else above == "/resume":
        return Resume(name) if method == "POST" else private(wrong_method("POST"))
    if not (above.endswith("/in") if mounted else above == "/in"):
        return error(404, "not found")
    if name not in sources:
        return no_source()
    return sources[name] if method == "POST" else wrong_method("POST")
