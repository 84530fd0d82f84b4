"""What the receiver and a worker need of an app."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ..store import Message
from ..store.types.messages.draft import Address
from .handlers.handler import Handler
from .handlers.hooks import Hooks
from .route import Matchings
from .schedules.schedule import Schedule
from .sending.options import SendingOptions
from .source import Source


class ReceiverApp(Protocol):
    """What the receiver needs of an app."""

    store: str
    store_options: dict[str, Any]

    @property
    def sources(self) -> Mapping[str, Source]:
        """The sources by name."""
        ...

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """The handlers by name."""
        ...

    def addresses(self, message: Message) -> Sequence[Address]:
        """Return one address for each handler that gets the message."""
        ...

    def common_addresses(self, source: str, event: str) -> Sequence[Address] | None:
        """Return the addresses of every message of an event; None if a lane depends on it."""
        ...

    @property
    def matchings(self) -> Matchings:
        """The routes of each event."""
        ...


class WorkerApp(Protocol):
    """What a worker process needs of an app."""

    @property
    def version(self) -> str | None:
        """What the app calls this state of its code."""
        ...

    @property
    def url(self) -> str | None:
        """Below which senders reach its receiver."""
        ...

    @property
    def store(self) -> str:
        """Path or URL of the store."""
        ...

    @property
    def store_options(self) -> Mapping[str, Any]:
        """Further arguments of `connect`."""
        ...

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """The handlers by name."""
        ...

    @property
    def schedules(self) -> Mapping[str, Schedule]:
        """The schedules by their handlers' names."""
        ...

    @property
    def sending(self) -> SendingOptions | None:
        """How its pools send webhooks; None if they do not."""
        ...

    @property
    def hooks(self) -> Hooks:
        """The functions that workers call beside the handlers."""
        ...

    def check(self) -> None:
        """Raise InvalidInput when its parts do not fit together."""
        ...

    @property
    def sources(self) -> Mapping[str, Source]:
        """The sources whose messages it routes, by name."""
        ...

    def addresses(self, message: Message) -> Sequence[Address]:
        """Return one address for each handler that gets the message."""
        ...
