"""Faults in how a store is opened and made."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ...store.sqlite import opening, schema
from ..canary import Canary


def _no_patience() -> None:
    opening._PATIENCE_SECONDS = 0.0


def _no_transaction() -> None:
    @contextlib.contextmanager
    def whole(connection: object) -> Iterator[None]:
        yield

    schema.whole = whole


CANARIES = (
    Canary(
        "opens-without-patience",
        "who finds another at the opening of a store gives up at once",
        scenario="open",
        trips="all-open",
        plant=_no_patience,
    ),
    Canary(
        "makes-in-pieces",
        "the tables of a new store are made without a transaction",
        scenario="open",
        trips="all-open",
        plant=_no_transaction,
    ),
)
