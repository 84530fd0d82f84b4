"""What an app says of the webhooks that it sends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ...store.errors import InvalidInput
from ...store.outbox import is_secret_name, secret_bytes
from ...store.types import validate

_VERSIONS = "the versions of a secret"

Secrets = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class SendingOptions:
    """The options of `App` for webhooks to be sent.

    Attributes:
        private: Private addresses and plain http are allowed.
        secrets: By their names, each with its versions, the newest first.
    """

    private: bool = False
    secrets: Secrets = field(default_factory=dict, repr=False)

    @property
    def is_given(self) -> bool:
        """The app says something of them."""
        return self.private or bool(self.secrets)


def sending_options(
    *, private: bool, secrets: Mapping[str, str | Sequence[str]] | None
) -> SendingOptions:
    """Return the options, checked.

    Raises:
        InvalidInput: A secret is not usable.
    """
    if secrets is not None and not isinstance(secrets, Mapping):
        raise InvalidInput("secrets must be a mapping of names to secrets")
    found = {}
    for name, given in (secrets or {}).items():
        if not is_secret_name(name):  # it is not shown: it may be the secret itself
            raise InvalidInput(
                "the name of a secret has 1 to 128 characters from A-Z a-z 0-9 _ . -, and is no"
                " base64 of 24 bytes or more"
            )
        versions = (given,) if isinstance(given, str) else tuple(validate.each(given, _VERSIONS))
        if not versions or not all(isinstance(v, str) and secret_bytes(v) for v in versions):
            raise InvalidInput(f'secret {name!r} must be base64 of 24 bytes or more, or "whsec_…"')
        found[name] = versions
    return SendingOptions(bool(private), found)
