"""fencepost stress: run the stress tests on this machine and disk."""

from __future__ import annotations

import secrets
import shutil
import sys
import tempfile
from pathlib import Path

import click
import msgspec

from ...stress.discovery import SCENARIOS
from ...stress.harness.runner import run_all
from ...stress.harness.scenario import PROFILES
from ...stress.views import terminal
from ..options import as_json
from ..output import print_json
from .termination import ends_at_sigterm

_NAMES = ", ".join(SCENARIOS)


@click.command(
    epilog="Scenarios: " + "; ".join(f"{each.name} ({each.about})" for each in SCENARIOS.values())
)
@click.argument("scenarios", nargs=-1, metavar="[SCENARIO]...")
@click.option(
    "--processes",
    type=click.IntRange(1, 256),
    help="Number of processes, instead of the profile's.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(0, min_open=True),
    help="Length of a scenario, instead of the profile's.",
)
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="Repeat the faults of a run.")
@click.option(
    "--profile",
    type=click.Choice(PROFILES),
    default="ci",
    show_default=True,
    help="How long to test: ci takes minutes, nightly hours, release ten times as long.",
)
@click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False, writable=True, path_type=Path),
    help="Create the stores here: this disk is tested.  [default: the temporary folder]",
)
@as_json
@click.option(
    "--report",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write report.txt and report.json there.",
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
    """Run many processes against one store, with faults, and check what they saw.

    Without a SCENARIO all of them run. Each scenario also runs with faults planted in Fencepost
    (canaries), and must detect them. The exit code is 0 only if every check passed and every
    canary was caught; what this machine cannot run does not count.

    Example: fencepost stress busy caps --seconds 30 --report report
    """
    if unknown := [name for name in scenarios if name not in SCENARIOS]:
        raise click.BadParameter(f"there is no scenario {', '.join(unknown)}; there are {_NAMES}")
    names = [name for name in SCENARIOS if not scenarios or name in scenarios]
    given = {"processes": processes, "seconds": seconds}
    instead = {size: value for size, value in given.items() if value is not None}
    for size in instead:
        if not any(size in SCENARIOS[name].size(profile) for name in names):
            click.echo(f"--{size} changes nothing in {', '.join(names)}", err=True)
    if report is not None:
        _make(report)
    seed = secrets.randbelow(2**32) if seed is None else seed
    work = Path(tempfile.mkdtemp(prefix="fencepost-stress-", dir=folder))
    try:
        with ends_at_sigterm(), terminal.live(f"seed {seed}, profile {profile}") as watch:
            found = run_all(
                [SCENARIOS[name] for name in names],
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
        with (report / "report.txt").open("w") as text:
            terminal.print_report(found, kept=None, file=text)
    if as_json:
        print_json(terminal.summary(found))
    else:
        terminal.print_report(found, kept=None if found.ok else work)
    if not found.ok:
        sys.exit(1)


def _make(folder: Path) -> None:
    """Create a folder and its parents with mode 0700."""
    for each in (*reversed(folder.parents), folder):
        each.mkdir(mode=0o700, exist_ok=True)
