"""Calling a handler with the messages of one key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...store import Message

if TYPE_CHECKING:
    from ..context import Context


@dataclass(frozen=True, slots=True)
class Joining:
    """A handler of one message that calls one of many, with all that were claimed together."""

    function: Callable[[list[Message], Context], Any]
    latest_only: bool = False

    def __call__(self, message: Message, ctx: Context) -> Any:
        """Return what the function returns.

        Raises:
            SomeFailed: The function has said so of some messages.
        """
        return ctx.joined(self.function(ctx.join(latest_only=self.latest_only), ctx))


@dataclass(frozen=True, slots=True)
class AsyncJoining(Joining):
    """The same of a coroutine function."""

    async def __call__(self, message: Message, ctx: Context) -> Any:
        """Return what the function returns."""
        return ctx.joined(await self.function(ctx.join(latest_only=self.latest_only), ctx))
