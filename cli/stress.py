"""fencepost stress: put the store to the test on this machine and this disk."""

from __future__ import annotations

import secrets
import shutil
import sys
import tempfile
from pathlib import Path

import click
import msgspec

from ..stress import display, page
from ..stress.canaries import CANARIES
from ..stress.runner import run_all
from ..stress.scenario import PROFILES
from ..stress.scenarios import SCENARIOS
from .output import as_json, print_json

_NAMES = ", ".join(SCENARIOS)


@click.command(
    epilog="Scenarios: " + "; ".join(f"{each.name} ({each.about})" for each in SCENARIOS.values())
)
@click.argument("scenarios", nargs=-1, metavar="[SCENARIO]...")
@click.option("--processes", type=click.IntRange(1, 256), help="In place of the profile's.")
@click.option(
    "--seconds", type=click.FloatRange(0, min_open=True), help="In place of the profile's."
)
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="Repeat the faults of a run.")
@click.option(
    "--profile", type=click.Choice(PROFILES), default="ci", show_default=True, help="How much."
)
@click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False, writable=True, path_type=Path),
    help="Where to make the stores: the disk to test.  [default: the temporary folder]",
)
@as_json
@click.option(
    "--report",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write index.html and report.json there.",
)
def stress(
    scenarios: tuple[str, ...],
    processes: int | None,
    seconds: float | None,
    seed: int | None,
    profile: str,
    folder: Path | None,
    as_json: bool,
    report: Path | None,
) -> None:
    """Run many processes against one store, under faults, and check what they saw.

    All scenarios when none is named. Each also runs with faults planted in the product, its
    canaries, which it has to catch. Exit 0 only when every invariant held and every canary
    was caught.

    Example: fencepost stress busy caps --seconds 30 --report report
    """
    if unknown := [name for name in scenarios if name not in SCENARIOS]:
        raise click.BadParameter(f"no scenario {', '.join(unknown)}; there are {_NAMES}")
    names = [name for name in SCENARIOS if not scenarios or name in scenarios]
    if report is not None:
        report.mkdir(parents=True, exist_ok=True)
    instead: dict[str, float] = {}
    if processes is not None:
        instead["processes"] = processes
    if seconds is not None:
        instead["seconds"] = seconds
    seed = secrets.randbelow(2**32) if seed is None else seed
    work = Path(tempfile.mkdtemp(prefix="fencepost-stress-", dir=folder))
    try:
        with display.live(f"seed {seed}, profile {profile}") as watch:
            found = run_all(
                [SCENARIOS[name] for name in names],
                list(CANARIES.values()),
                seed=seed,
                profile=profile,
                folder=work,
                instead=instead,
                watch=watch,
            )
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    if found.ok:
        shutil.rmtree(work)
    if report is not None:
        (report / "report.json").write_bytes(msgspec.json.encode(found))
        (report / "index.html").write_text(page.render(found))
    if as_json:
        print_json(display.summary(found))
    else:
        display.print_report(found, kept=None if found.ok else work)
    if not found.ok:
        sys.exit(1)
