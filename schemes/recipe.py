"""Where a request has its key and event: a header, or a JSON pointer."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any, Protocol

from .naming import named
from .options import usable_header
from .outgoing import Outgoing, Unsignable, new_id
from .request import Event, Request, Unparsable

# Source: RFC 6901, sections 3 and 4
_POINTER = re.compile(r"(?:/(?:[^/~]|~[01])*)+")
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")


class Recipe(Protocol):
    def find(self, request: Request) -> str | None:
        """Return the text at this place; None when there is none."""
        ...

    def place(self, outgoing: Outgoing, text: str) -> None:
        """Put a text at this place of an outgoing request.

        Raises:
            Unsignable: The request has no such place.
        """
        ...


@dataclass(frozen=True, slots=True)
class Header:
    """The value of a header. Few schemes sign headers, so a replay can change it."""

    name: bytes

    def find(self, request: Request) -> str | None:
        return decoded(request.header(self.name))

    def place(self, outgoing: Outgoing, text: str) -> None:
        outgoing.set(self.name.decode("ascii"), text)


@dataclass(frozen=True, slots=True)
class Pointer:
    """The string or whole number at a JSON pointer in the body, as `Message.json` reads it.

    A whole number and the string of its digits are the same key.
    """

    path: tuple[str, ...]

    def find(self, request: Request) -> str | None:
        try:
            value = request.json()
        except Unparsable:
            return None
        for name in self.path:
            value = _member(value, name)
        whole = isinstance(value, int) and not isinstance(value, bool)
        return str(value) if whole or isinstance(value, str) else None

    def place(self, outgoing: Outgoing, text: str) -> None:
        outgoing.put(self.path, text)


@dataclass(frozen=True, slots=True)
class BodyHash:
    """The SHA-256 of the body, in hex: the same bytes are the same message.

    The body is decompressed first, because compressing it again for a retry may give other
    bytes: gzip has the time in its header.
    """

    def find(self, request: Request) -> str | None:
        return hashlib.sha256(request.plain()).hexdigest()

    def place(self, outgoing: Outgoing, text: str) -> None:
        raise Unsignable("its key is the hash of the body, so it cannot be chosen")


@dataclass(frozen=True, slots=True)
class FirstOf:
    """The first of several places that has a value."""

    places: tuple[Recipe, ...]

    def find(self, request: Request) -> str | None:
        return next((text for place in self.places if (text := place.find(request))), None)

    def place(self, outgoing: Outgoing, text: str) -> None:
        self.places[0].place(outgoing, text)


@dataclass(frozen=True, slots=True)
class Recipes:
    """The options `key` and `event` of a source; None leaves it to the scheme."""

    key: Recipe | None = None
    event: Recipe | None = None

    @classmethod
    def spelled(cls, *, key: str | None, event: str | None) -> Recipes:
        """Return the recipes for the two options.

        Raises:
            ValueError: An option is not a recipe.
        """
        return cls(
            None if key is None else _spelled(key, option="key"),
            None if event is None else _spelled(event, option="event"),
        )

    def over(self, request: Request, own: Event) -> Event:
        """Return the event with key and name replaced by what the recipes find, or do not find."""
        if self.key is None and self.event is None:
            return own
        key = own.key if self.key is None else self.key.find(request)
        event = own.event if self.event is None else self.event.find(request)
        return named(key, event, silent=own.silent)

    def place(self, outgoing: Outgoing, key: str | None, event: str | None) -> None:
        """Put key and event where the recipes find them; generate a missing key.

        Raises:
            Unsignable: The request has no such place.
        """
        _place(self.event, outgoing, event)
        if key is None and (isinstance(self.key, Header) or outgoing.is_new):
            missing = self.key is not None and self.key.find(outgoing.request()) is None
            key = new_id() if missing else None
        _place(self.key, outgoing, key)


def spelling(recipe: Recipe | None) -> str | None:
    """Return a recipe as an option spells it."""
    if isinstance(recipe, Header):
        return f"header:{recipe.name.decode('ascii')}"
    if isinstance(recipe, Pointer):
        names = (name.replace("~", "~0").replace("/", "~1") for name in recipe.path)
        return "json:" + "".join(f"/{name}" for name in names)
    if isinstance(recipe, FirstOf):
        return ", ".join(filter(None, map(spelling, recipe.places)))
    return "body" if isinstance(recipe, BodyHash) else None


def decoded(value: bytes | None) -> str | None:
    """Return the text of a header; None when it is empty or not UTF-8."""
    try:
        return value.decode() if value else None
    except UnicodeDecodeError:
        return None


def _place(recipe: Recipe | None, outgoing: Outgoing, text: str | None) -> None:
    if recipe is not None and text is not None and recipe.find(outgoing.request()) != text:
        recipe.place(outgoing, text)


def _spelled(text: str, *, option: str) -> Recipe:
    kind, _, rest = text.partition(":") if isinstance(text, str) else ("", "", "")
    if kind == "header":
        return Header(usable_header(rest, option=f'{option} "header:NAME"'))
    if kind == "json" and _POINTER.fullmatch(rest):
        names = rest[1:].split("/")
        return Pointer(tuple(name.replace("~1", "/").replace("~0", "~") for name in names))
    if text == "body" and option == "key":
        return BodyHash()
    forms = '"header:NAME", "json:/json/pointer" or "body"'
    if option != "key":
        forms = '"header:NAME" or "json:/json/pointer"'
    raise ValueError(f"{option}={text!r} is not usable; give {forms}")


def _member(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return value.get(name)
    if isinstance(value, list) and _INDEX.fullmatch(name) and int(name) < len(value):
        return value[int(name)]
    return None
