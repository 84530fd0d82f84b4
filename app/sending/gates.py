"""The two places at which addresses are judged: the resolver, and the socket's maker.

The resolver judges every address of a name, and those it returns are the ones connected to: a name
is looked up once. The socket's maker sees each address just before it is connected to, also one
that stands in the URL itself and that no resolver is asked for.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

from . import addresses

Look = Callable[[str, int, int], "list[tuple[Any, ...]]"]


def look_up(host: str, port: int, family: int) -> list[tuple[Any, ...]]:
    """Ask the system for the addresses of a name; may take long."""
    return socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, 0, socket.AI_ADDRCONFIG)


class Resolver(AbstractResolver):
    """Looks names up, and refuses those of which one address is not allowed."""

    def __init__(self, *, private: bool, look: Look = look_up) -> None:
        self._private = private
        self._look = look

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a name.

        Raises:
            OSError: The name cannot be looked up.
            Refused: One of its addresses is not allowed.
        """
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(None, self._look, host, port, family)
        results: list[ResolveResult] = []
        for kind, _, proto, _, address in found:
            addresses.check(address[0], private=self._private)
            results.append(
                ResolveResult(
                    hostname=host,
                    host=address[0],
                    port=port,
                    family=kind,
                    proto=proto,
                    flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
                )
            )
        return results

    async def close(self) -> None:
        """Do nothing: it holds nothing."""


def socket_maker(*, private: bool) -> Callable[[Any], socket.socket]:
    """Return what makes the socket for an address, unless it is not allowed."""

    def make(info: Any) -> socket.socket:
        family, kind, proto, _, address = info
        addresses.check(address[0], private=private)
        made = socket.socket(family, kind, proto)
        made.setblocking(False)
        return made

    return make
