"""Faults in how a copy is made, and in what it lets the holders of before do."""

from __future__ import annotations

import os
import subprocess

from ...store.sqlite.file import paths
from ...store.sqlite.session.session import Session
from ...store.sqlite.whole_file import backup, lineage
from ..harness.canary import Canary


def _main_file_alone() -> None:
    def copy(session: Session, dest: str) -> str:
        subprocess.run(["cp", session.path, dest], check=True)
        os.chmod(dest, 0o600)
        return dest

    backup.backup = copy


def _fences_go_on() -> None:
    lineage.FENCE_EPOCH = 0


def _leases_go_on() -> None:
    lineage._END_LEASES = ("select 1", "select 1", "select 1", "select 1")


def _for_all_to_read() -> None:
    was = paths.sync

    def sync(path: str) -> None:
        os.chmod(path, 0o644)
        was(path)

    paths.sync = sync


CANARIES = (
    Canary(
        "main-file-alone",
        "a backup copies the database without its WAL",
        scenario="backup",
        trips="nothing-lost",
        plant=_main_file_alone,
    ),
    Canary(
        "fences-go-on",
        "a copy gives out the fences that its store gives out as well",
        scenario="backup",
        trips="fences-rise",
        plant=_fences_go_on,
    ),
    Canary(
        "leases-go-on",
        "who holds a claim in the store holds it in the copy",
        scenario="backup",
        trips="stale-refused",
        plant=_leases_go_on,
    ),
    Canary(
        "for-all-to-read",
        "a backup has mode 0644",
        scenario="backup",
        trips="private",
        plant=_for_all_to_read,
    ),
)
