"""Faults in what is said of an error, and in what a repeated call is answered."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from ...store.errors import OutcomeUnknown, StoreFailed
from ...store.sqlite.queue import counters, settle
from ...store.sqlite.session import faults
from ...store.sqlite.session.transactions import Transactions
from ..harness.canary import Canary


def _commit_failed() -> None:
    was = Transactions._commit

    def _commit(self: Transactions, operation: str) -> None:
        try:
            was(self, operation)
        except OutcomeUnknown as error:
            raise StoreFailed(str(error)) from error

    Transactions._commit = _commit  # type: ignore[method-assign]


def _commit_ignored() -> None:
    was = Transactions._commit

    def _commit(self: Transactions, operation: str) -> None:
        with suppress(OutcomeUnknown):
            was(self, operation)

    Transactions._commit = _commit  # type: ignore[method-assign]


def _never_settled_already() -> None:
    def settled_already(*args: Any) -> bool:
        return False

    vars(settle)["settled_already"] = settled_already


def _untyped() -> None:
    def translate(error: Exception, *args: Any) -> Exception:
        return error

    vars(faults)["translate"] = translate


def _uncounted() -> None:
    def moved(*args: Any) -> None:
        pass

    vars(counters)["moved"] = moved


CANARIES = (
    Canary(
        "commit-plain",
        "a COMMIT that raised is told as one that changed nothing",
        scenario="io",
        trips="nothing-unexpected",
        plant=_commit_failed,
    ),
    Canary(
        "commit-ignored",
        "a COMMIT that raised is told as done",
        scenario="io",
        trips="nothing-lost",
        plant=_commit_ignored,
    ),
    Canary(
        "repeat-refused",
        "an ack of unknown outcome is refused when it is repeated",
        scenario="io",
        trips="same-answer",
        plant=_never_settled_already,
    ),
    Canary(
        "untyped",
        "SQLite's own errors reach the caller",
        scenario="io",
        trips="typed-errors",
        plant=_untyped,
    ),
    Canary(
        "uncounted",
        "what is claimed is not counted",
        scenario="io",
        trips="integrity",
        plant=_uncounted,
    ),
)
