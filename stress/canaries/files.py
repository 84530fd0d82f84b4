"""Faults in how a store guards its files."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from ...store.errors import OutcomeUnknown
from ...store.sqlite.session import opening
from ...store.sqlite.session.transactions import Transactions
from ..harness.canary import Canary


def _no_checksums() -> None:
    was = opening.open_database

    def open_database(*args: Any, checksums: bool, **options: Any) -> opening.Opened:
        return was(*args, **options)

    opening.open_database = open_database  # type: ignore[assignment]


def _takes_failure_for_success() -> None:
    was = Transactions._commit

    def commit(self: Transactions, operation: str) -> None:
        with suppress(OutcomeUnknown):
            was(self, operation)

    Transactions._commit = commit  # type: ignore[method-assign]


CANARIES = (
    Canary(
        "without-checksums",
        "pages that are to have a checksum have none",
        scenario="files",
        trips="integrity",
        plant=_no_checksums,
    ),
    Canary(
        "takes-failure-for-success",
        "a COMMIT that fails is told as done",
        scenario="files",
        trips="nothing-lost",
        plant=_takes_failure_for_success,
    ),
)
