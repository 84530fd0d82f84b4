"""From method and path to the kind of request."""

from __future__ import annotations

from collections.abc import Mapping

from ...app.source import Source
from ..accept import no_source
from ..answer import Answer, error, wrong_method

HEALTH, READY = "/healthz", "/readyz"


def route(
    sources: Mapping[str, Source], method: str, path: str, *, mounted: bool
) -> Source | str | Answer:
    """Return the source that a request is for, HEALTH, READY, or the answer to anything else.

    Args:
        mounted: True compares only the end of the path. Servers and frameworks differ in
            whether they leave the mount in the path.
    """
    above, _, name = path.rpartition("/")
    if (last := f"/{name}") in (HEALTH, READY) and (mounted or last == path):
        return last if method in ("GET", "HEAD") else wrong_method("GET, HEAD")
    if not (above.endswith("/in") if mounted else above == "/in"):
        return error(404, "not found")
    if name not in sources:
        return no_source()
    return sources[name] if method == "POST" else wrong_method("POST")
