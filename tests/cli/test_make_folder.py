"""--make-folder: a pool on a volume in which others may write."""

from __future__ import annotations

from pathlib import Path

from .command import run

_APP = """
from fencepost import App

app = App("volume/hooks.db")


@app.task("mail")
def send(message, ctx): ...
"""


# OPS-4
def test_a_pool_makes_the_folder_and_other_commands_find_the_store(tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    volume.chmod(0o777)
    (tmp_path / "hooks.py").write_text(_APP)

    refused = run("work", "hooks.py", "--drain", cwd=tmp_path)
    drained = run("work", "hooks.py", "--drain", "--make-folder", cwd=tmp_path)
    shown = run("status", "--json", cwd=tmp_path, FENCEPOST_STORE="volume/hooks.db")

    assert refused.complains(2)
    assert "--make-folder" in refused.err
    assert drained.code == 0
    assert shown.code == 0
    assert (volume / "fencepost" / "hooks.db").exists()
