"""Port: the store's id, and its address without secrets."""

from __future__ import annotations

from typing import Protocol


class Identity(Protocol):
    """Who a store is."""

    @property
    def store_id(self) -> str:
        """What tells this store from every other, however each is addressed.

        The same for all who have it open, and after it was moved. A copy that was made or
        adopted as a store of its own has another.
        """
        ...

    @property
    def address(self) -> str:
        """Where it is, to be shown: in errors, logs and listings. It holds no secret."""
        ...
