"""Faults in how a store is opened and made."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from ...store.sqlite.file import schema
from ...store.sqlite.session import opening
from ..harness.canary import Canary


def _no_patience() -> None:
    was = opening.open_database

    def open_database(*args: Any, patience: float, **options: Any) -> opening.Opened:
        return was(*args, patience=0.0, **options)

    opening.open_database = open_database


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
