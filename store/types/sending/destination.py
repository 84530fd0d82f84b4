"""The address of an outgoing webhook: what it must look like, and the host that it names."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlsplit

from ...errors import InvalidInput

_MOST_CHARACTERS = 2048
_PORTS = {"https": 443, "http": 80}
# What one parser takes for the end of the host, and another does not.
_AMBIGUOUS = re.compile(r"[\s\\\x00-\x20\x7f]")
# A last part that is a number makes it an address of IPv4, of which C and browsers know more forms.
_NUMBER = re.compile(r"(?:^|\.)(?:[0-9]+|0[xX][0-9a-fA-F]*)\.?$")
_PART = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = re.compile(rf"{_PART}(?:\.{_PART}){{3}}")
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?\.?")


class Destination(NamedTuple):
    """The scheme, host and port of an address; an IPv6 address has no brackets."""

    scheme: str
    host: str
    port: int

    @property
    def name(self) -> str:
        """The three in one, as breakers name a host."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def destination(url: object) -> Destination:
    """Return where a URL leads, without asking for the host's addresses.

    Raises:
        InvalidInput: It is no URL of a web server, has a user or a password in it, or can be
            read in more than one way.
    """
    if not isinstance(url, str):
        raise InvalidInput(f"url must be a str, not {type(url).__name__}")
    if len(url) > _MOST_CHARACTERS:
        raise InvalidInput(f"url must have at most {_MOST_CHARACTERS} characters")
    if _AMBIGUOUS.search(url):
        raise InvalidInput("url must not contain spaces, control characters or backslashes")
    try:
        url.encode()
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:  # UnicodeEncodeError too
        raise InvalidInput(f"url cannot be read: {error}") from error
    if parts.scheme not in _PORTS:
        raise InvalidInput("url must begin with https:// (or http://, with send_to_private)")
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise InvalidInput("url must not contain a user or a password: sign with secret=")
    if port == 0:
        raise InvalidInput("url must not name port 0")
    return Destination(
        parts.scheme, _host(parts.hostname, parts.netloc), port or _PORTS[parts.scheme]
    )


def _host(host: str | None, netloc: str) -> str:
    if not host:
        raise InvalidInput("url must name a host")
    if netloc.startswith("["):
        if "%" in host:
            raise InvalidInput("url must not contain a zone id")
        return host
    try:
        name = host.encode("idna").decode() if not host.isascii() else host
    except UnicodeError as error:
        raise InvalidInput(f"{host!r} cannot be the name of a host: {error}") from error
    if not _HOST.fullmatch(name.lower()) or len(name) > 253:
        raise InvalidInput(f"{host!r} cannot be the name of a host")
    if _NUMBER.search(name) and not _IPV4.fullmatch(name):
        raise InvalidInput(f"{host!r} is no host: write an IPv4 address as four numbers")
    return name.lower()
