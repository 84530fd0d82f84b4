"""TARGET, loaded in a command's own process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..store.errors import InvalidInput
from ..workers import Target
from ..workers.log import configure

if TYPE_CHECKING:
    from ..ingest import App


def load_app(target: str) -> App:
    """Return the app at TARGET; its store is not opened.

    Raises:
        InvalidInput: There is none, its code raised, or its routes make no sense.
    """
    from ..ingest import App

    configure()
    app = Target(target)()
    if not isinstance(app, App):
        raise InvalidInput(f"{target} is a {type(app).__name__}, not a fencepost.App")
    app.check()
    return app
