"""What the ways in need to know of an app."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ..store import Message
from ..store.types.message import Address
from .handler import Handler
from .source import Source


class Declared(Protocol):
    """What an app declares of the ways in."""

    store: str
    store_options: dict[str, Any]

    @property
    def sources(self) -> Mapping[str, Source]:
        """Its sources by name."""
        ...

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """Its handlers by name."""
        ...

    def addresses(self, message: Message) -> Sequence[Address]:
        """Return where a message goes."""
        ...
