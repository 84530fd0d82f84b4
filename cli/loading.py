"""TARGET, loaded in a command's own process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..app import Target
from ..log.log import configure
from ..store.errors import InvalidInput

if TYPE_CHECKING:
    from ..app import App


def load_app(target: str) -> App:
    """Return the app at TARGET; its store is not opened.

    Raises:
        InvalidInput: There is none, its code raised, or its routes make no sense.
    """
    from ..app import App

    configure()
    app = Target(target)()
    if not isinstance(app, App):
        raise InvalidInput(f"{target} is a {type(app).__name__}, not a fencepost.App")
    app.check()
    return app
