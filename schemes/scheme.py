"""The interface of a signature scheme."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

from .outgoing import Outgoing
from .recipe import Recipes, spelling
from .request import Event, Handshake, Request, Verdict


class Scheme(Protocol):
    """How one provider signs its requests and names its messages.

    Attributes:
        name: What `App.source(scheme=...)` calls it, which is also its module's name.
        own_key: Where its requests carry the dedupe key, as `key=` spells it; None when
            `key=` has to say so.
        keep_ms: How long a key is kept by default: longer than the provider redelivers, by
            itself or by hand.
        example: An event that it sends.
    """

    name: ClassVar[str]
    own_key: ClassVar[str | None]
    keep_ms: ClassVar[int]
    example: ClassVar[str]

    @property
    def recipes(self) -> Recipes:
        """Where key and event are read when the app says so, in place of the provider's own."""
        ...

    def early(self, request: Request) -> Handshake | None:
        """Return the answer to a request that the provider sends unsigned, else None.

        Called before verify. Nothing in such a request may be stored or trusted.
        """
        ...

    def verify(self, request: Request, now: float) -> Verdict:
        """Check the signature at `now`, Unix seconds of the wall clock.

        It returns a verdict for any bytes, and never raises.
        """
        ...

    def read(self, request: Request) -> Event | Handshake:
        """Return the key and the event of a request whose verdict was GENUINE.

        Raises:
            Malformed: The body is not what the provider sends.
        """
        ...

    def sample(self, event: str, seed: str) -> Any:
        """Return a small body of an event, as the provider's documentation shows it.

        The same seed gives the same body, another seed another one.
        """
        ...

    def place(self, outgoing: Outgoing, key: str | None, event: str | None) -> None:
        """Put key and event where the provider puts them; for None, choose one.

        Raises:
            Unsignable: This body has no place for them.
        """
        ...

    def sign(self, outgoing: Outgoing, now: float) -> None:
        """Add the signature of `now` as the provider makes it, under the newest secret.

        Raises:
            Unsignable: The source has no secret that can sign.
        """
        ...


def key_rule(scheme: Scheme) -> str | None:
    """Return where the dedupe key is, as `key=` spells it; None when there is none."""
    return spelling(scheme.recipes.key) or scheme.own_key
