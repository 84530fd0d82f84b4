"""Faults in how a copy is made, and in what it lets earlier holders do."""

from __future__ import annotations

import os
import subprocess

from ....store.sqlite.file import paths
from ....store.sqlite.session.session import Session
from ....store.sqlite.whole_file import backup, lineage
from ...harness.faults import fault


@fault("a backup copies the database without its WAL")
def main_file_alone() -> None:
    def copy(session: Session, dest: str) -> str:
        subprocess.run(["cp", session.path, dest], check=True)
        os.chmod(dest, 0o600)
        return dest

    backup.backup = copy


@fault("a copy gives out fences that its store gives out too")
def fences_go_on() -> None:
    lineage.FENCE_EPOCH = 0


@fault("a claim of the store is valid in its copy too")
def leases_go_on() -> None:
    lineage._END_LEASES = ("select 1", "select 1", "select 1", "select 1")


@fault("a backup has mode 0644")
def for_all_to_read() -> None:
    was = paths.sync

    def sync(path: str) -> None:
        os.chmod(path, 0o644)
        was(path)

    paths.sync = sync
