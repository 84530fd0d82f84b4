"""The contract for a URL scheme: what an engine can do with an address without opening a store.

An engine has a capability, or names in one line what to use in its place. A new engine is a
folder beside store/sqlite with a driver.py, and is registered in store/connect.py; the stress
tests find it by stress/engines.py, the tests of the store by tests/kits.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from ..clock import HostClock
from ..errors import Unsupported
from .upkeep import Adopted, Migration, Restored

if TYPE_CHECKING:
    from . import Engine

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Instead:
    """What to use in place of a capability: "use pg_dump"."""

    advice: str


@dataclass(frozen=True, slots=True)
class OpenOptions:
    """How a store is opened.

    Attributes:
        clock: The clocks of this machine.
        durability: "full" or "normal".
        create: Make a store where there is none.
        checksums: A new store has them; only where the scheme has `checksums`.
    """

    clock: HostClock
    busy_seconds: float
    durability: str
    create: bool
    checksums: bool = False


@dataclass(frozen=True, slots=True)
class Driver:
    """An engine as the table of schemes knows it. Addresses are without the scheme's name.

    Attributes:
        name: As a person reads it, such as "SQLite".
        open: Open the store at an address.
        exists: A store is there, as far as can be told without opening it.
        why_not_made: What keeps a store from being made there, None for nothing known.
        checksums: True when a store may have a checksum on every page.
        migrate: Bring a store to the newest schema; given True, try that on a copy.
        make_folder: Make a safe folder for a store where there is none; return the address.
        set_aside: Rename a damaged store; return the name that it has now.
        restore: Put a copy of a backup, given first, in the place of a store.
        adopt: Make a copy by other tools a store of its own.
    """

    name: str
    open: Callable[[str, OpenOptions], Engine]
    exists: Callable[[str], bool]
    why_not_made: Callable[[str], str | None]
    checksums: bool | Instead
    migrate: Callable[[str, bool], Migration] | Instead
    make_folder: Callable[[str], str] | Instead
    set_aside: Callable[[str, HostClock], str] | Instead
    restore: Callable[[str, str, HostClock], Restored] | Instead
    adopt: Callable[[str, HostClock], Adopted] | Instead

    def able(self, capability: T | Instead, verb: str) -> T:
        """Return one of these capabilities.

        Raises:
            Unsupported: The engine has another way, which the error names.
        """
        if isinstance(capability, Instead):
            raise Unsupported(verb, self.name, instead=capability.advice)
        return capability
