"""Signature schemes: who sent a request, and which message it is."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from difflib import get_close_matches
from typing import Any, ClassVar, Literal, Protocol, TypedDict

from ..store.types.message import DEFAULT_KEEP_MS
from .options import listed, usable_secrets
from .outgoing import Outgoing
from .providers import generic, github, slack, standard, stripe
from .recipe import Recipes, spelling
from .request import Event, Handshake, Request, Verdict


class Scheme(Protocol):
    """How one provider signs its requests and names its messages."""

    example: ClassVar[str]  # an event that it sends

    @property
    def recipes(self) -> Recipes:
        """What is read in place of the provider's own key and event."""
        ...

    def early(self, request: Request) -> Handshake | None:
        """Return the answer to a request that the provider sends unsigned, else None.

        Ask before verify. Nothing of such a request may be stored or believed.
        """
        ...

    def verify(self, request: Request, now: float) -> Verdict:
        """Judge the signature at `now`, unix seconds of the wall clock.

        Any bytes get a verdict: nothing that a stranger can send raises.
        """
        ...

    def read(self, request: Request) -> Event | Handshake:
        """Name the message in a request that was found GENUINE.

        Raises:
            Malformed: The body is not what the provider sends.
        """
        ...

    def sample(self, event: str, seed: str) -> Any:
        """Return a small body of an event, as the provider's documentation shows it.

        The same for the same seed, and another for another.
        """
        ...

    def place(self, outgoing: Outgoing, key: str | None, event: str | None) -> None:
        """Put key and event where the provider puts them; None is one of its choice.

        Raises:
            Unsignable: They cannot be put into this body.
        """
        ...

    def sign(self, outgoing: Outgoing, now: float) -> None:
        """Add the signature of `now` as the provider makes it, under the newest secret.

        Raises:
            Unsignable: There is no secret that signs.
        """
        ...


SchemeName = Literal["github", "hmac", "slack", "standard", "stripe"]


class Options(TypedDict, total=False):
    """What a source may say besides its secrets; docs/sources.md has which scheme takes what."""

    key: str | None
    event: str | None
    tolerance: float | timedelta
    header: str
    encoding: Literal["base64", "hex"]
    prefix: str
    algorithm: Literal["sha1", "sha256", "sha384", "sha512"]


SCHEMES: Mapping[str, Callable[..., Scheme]] = {
    "github": github.build,
    "hmac": generic.build,
    "slack": slack.build,
    "standard": standard.build,
    "stripe": stripe.build,
}


_KINDS: Mapping[str, type] = {
    "github": github.GitHub,
    "hmac": generic.Generic,
    "slack": slack.Slack,
    "standard": standard.Standard,
    "stripe": stripe.Stripe,
}

# Where each provider has its key.
_KEYS: Mapping[str, str | None] = {
    "github": "header:X-GitHub-Delivery",
    "hmac": None,
    "slack": "json:/event_id, json:/trigger_id",
    "standard": "header:webhook-id",
    "stripe": "json:/id",
}

# Schemes whose senders are many, each with an id of its own or with none.
UNKEYED = frozenset({"hmac"})

_DAY_MS = 86_400_000

# Longer than the provider redelivers, by itself or by hand: GitHub's button works for 3
# days, on older Enterprise servers for 30; Slack retries for an hour; Stripe's CLI resends
# for 30 days; Standard Webhooks' own schedule takes 76 hours. Of an unknown sender nobody
# knows.
KEEP_MS: Mapping[str, int] = {
    "github": 31 * _DAY_MS,
    "hmac": DEFAULT_KEEP_MS,
    "slack": 1 * _DAY_MS,
    "standard": 5 * _DAY_MS,
    "stripe": 31 * _DAY_MS,
}

# Those of App.source, whatever the scheme is.
_OF_EVERY_SOURCE = {
    "secret",
    "secrets",
    "max_body",
    "require_key",
    "keep_for",
    "keep_body_for",
    "redelivery",
}


def build(scheme: str, secrets: Sequence[str], **options: Any) -> Scheme:
    """Return the named scheme with its secrets, newest first; each of them is tried.

    Every scheme takes `key` and `event`, recipes that replace its own:
    "header:NAME", "json:/json/pointer" and, for key, "body".

    Raises:
        ValueError: No such scheme or option, or a secret or value it cannot use.
    """
    make = SCHEMES.get(scheme)
    if make is None:
        raise ValueError(f"There is no scheme {scheme!r}; there are {listed(SCHEMES)}.")
    parameters = inspect.signature(make).parameters.values()
    known = {option.name for option in parameters if option.kind is option.KEYWORD_ONLY}
    if unknown := options.keys() - known:
        every = known | _OF_EVERY_SOURCE
        near = {close for each in unknown for close in get_close_matches(each, every, 1)}
        raise ValueError(
            f"Scheme {scheme!r} has no option {listed(unknown)}; it takes {listed(known)}, and "
            f"like every source {listed(_OF_EVERY_SOURCE)}."
            f"{f' Did you mean {listed(near)}?' if near else ''}"
        )
    return make(usable_secrets(secrets), **options)


def scheme_name(scheme: Scheme) -> str:
    """Return the name that a scheme is declared under."""
    return next(name for name, kind in _KINDS.items() if isinstance(scheme, kind))


def key_rule(scheme: Scheme) -> str | None:
    """Return where the dedupe key is, as `key=` spells it; None when there is none."""
    return spelling(scheme.recipes.key) or _KEYS[scheme_name(scheme)]
