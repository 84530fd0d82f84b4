"""The table of schemes."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Sequence
from datetime import timedelta
from difflib import get_close_matches
from typing import Any, Literal, TypedDict, get_args

from .options import listed, usable_secrets
from .scheme import Scheme

# A new provider is a module in providers/ with a function `build`, and its name here.
SchemeName = Literal["github", "hmac", "slack", "standard", "stripe"]

SCHEMES: tuple[SchemeName, ...] = get_args(SchemeName)


class Options(TypedDict, total=False):
    """The options of all schemes. Each scheme's `build` says which of them it takes."""

    key: str | None
    event: str | None
    tolerance: float | timedelta
    header: str
    encoding: Literal["base64", "hex"]
    prefix: str
    algorithm: Literal["sha1", "sha256", "sha384", "sha512"]


# What App.source takes for every scheme.
OF_EVERY_SOURCE = frozenset(
    {
        "secret",
        "secrets",
        "max_body",
        "require_key",
        "keep_for",
        "keep_body_for",
        "redelivery",
        "wait_key",
    }
)


def build(scheme: str, secrets: Sequence[str], **options: Any) -> Scheme:
    """Return the named scheme with its secrets, newest first; a signature may match any.

    Every scheme takes `key` and `event`, which replace its own places for them:
    "header:NAME", "json:/json/pointer" and, for key, "body".

    Raises:
        ValueError: No such scheme or option, or a secret or value that cannot be used.
    """
    if scheme not in SCHEMES:
        raise ValueError(f"There is no scheme {scheme!r}; there are {listed(SCHEMES)}.")
    make = importlib.import_module(f"{__package__}.providers.{scheme}").build
    parameters = inspect.signature(make).parameters.values()
    known = {option.name for option in parameters if option.kind is option.KEYWORD_ONLY}
    if unknown := options.keys() - known:
        every = known | OF_EVERY_SOURCE
        near = {close for each in unknown for close in get_close_matches(each, every, 1)}
        raise ValueError(
            f"Scheme {scheme!r} has no option {listed(unknown)}; it takes {listed(known)}, and "
            f"like every source {listed(OF_EVERY_SOURCE)}."
            f"{f' Did you mean {listed(near)}?' if near else ''}"
        )
    built: Scheme = make(usable_secrets(secrets), **options)
    return built
