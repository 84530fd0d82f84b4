"""What an app without schedules does not pay for."""

from __future__ import annotations

import subprocess
import sys


# CRON-9
def test_an_app_without_schedules_imports_no_zones_and_no_library() -> None:
    code = (
        "import sys, fencepost.workers, fencepost.cli.running.work, fencepost.speed.app\n"
        "print([name for name in sys.modules if name.startswith(('zoneinfo', 'cronsim'))])"
    )

    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert said.stdout == "[]\n"
