"""Faults in how a store guards its files."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

from ...store.errors import InvalidInput, OutcomeUnknown
from ...store.sqlite.file import paths
from ...store.sqlite.file.identity import FileIdentity
from ...store.sqlite.session import opening
from ...store.sqlite.session.session import Session
from ..harness.canary import Canary


def _follows_links() -> None:
    paths._check_file = lambda path: None
    os.O_NOFOLLOW = 0  # type: ignore[misc]


def _lets_others_read() -> None:
    def create(path: str) -> bool:
        if os.path.exists(path):
            return False
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o644))
        return True

    paths.create = create
    paths.restrict = lambda path: False


def _uses_after_fork() -> None:
    def check(self: Session, operation: str = "use") -> None:
        if self._closed:
            raise InvalidInput(f"{self.path} is closed", operation=operation, path=self.path)

    Session.check = check  # type: ignore[method-assign]


def _no_checksums() -> None:
    was = opening.open_database

    def open_database(*args: Any, checksums: bool, **options: Any) -> opening.Opened:
        return was(*args, **options)

    opening.open_database = open_database  # type: ignore[assignment]


def _does_not_look() -> None:
    def require(self: FileIdentity, operation: str) -> None:
        pass

    FileIdentity.require = require  # type: ignore[method-assign]


def _takes_failure_for_success() -> None:
    was = Session._commit

    def commit(self: Session, operation: str) -> None:
        with suppress(OutcomeUnknown):
            was(self, operation)

    Session._commit = commit  # type: ignore[method-assign]


CANARIES = (
    Canary(
        "follows-links",
        "a symbolic link in place of a store's file is followed",
        scenario="files",
        trips="victim-untouched",
        plant=_follows_links,
    ),
    Canary(
        "lets-others-read",
        "files are made with the mode that the mask allows",
        scenario="files",
        trips="owner-only",
        plant=_lets_others_read,
    ),
    Canary(
        "used-after-fork",
        "a store is not refused in a forked child",
        scenario="files",
        trips="typed-errors",
        plant=_uses_after_fork,
    ),
    Canary(
        "without-checksums",
        "pages that are to have a checksum have none",
        scenario="files",
        trips="integrity",
        plant=_no_checksums,
    ),
    Canary(
        "does-not-look",
        "nobody looks whether the file is still at its path",
        scenario="files",
        trips="nothing-lost",
        plant=_does_not_look,
    ),
    Canary(
        "takes-failure-for-success",
        "a COMMIT that fails is told as done",
        scenario="files",
        trips="nothing-lost",
        plant=_takes_failure_for_success,
    ),
)
