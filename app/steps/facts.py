"""What a context knows of its app."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ..interfaces import WorkerApp


class AppFacts(NamedTuple):
    """What a context knows of its app.

    Attributes:
        version: What the app calls this state of its code.
        url: Below which senders reach `/resume/<token>`.
        keeps_bodies: Its sources by name, and whether they keep the bodies of messages.
    """

    version: str | None = None
    url: str | None = None
    keeps_bodies: Mapping[str, bool] = MappingProxyType({})


NO_FACTS = AppFacts()


def app_facts(app: WorkerApp) -> AppFacts:
    """Return what the contexts of an app's handlers know of it."""
    keeps = {name: bool(source.keep_body_ms) for name, source in app.sources.items()}
    return AppFacts(app.version, app.url, keeps)
