"""A run of stress in the terminal: live while it goes on, as tables when it has ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ..harness.runner import Job
from ..records.report import Finding, Report

_VERDICTS = {
    "ok": Text("ok", style="green"),
    "failed": Text("FAILED", style="bold red"),
    "caught": Text("caught", style="green"),
    "missed": Text("MISSED", style="bold red"),
    "not run": Text("not run", style="yellow"),
}


@contextmanager
def live(title: str) -> Iterator[Callable[[Sequence[Job]], None]]:
    """Show jobs on stderr while they run; a line for each that has ended where that is no terminal."""
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    if console.is_terminal:
        with Live(console=console, refresh_per_second=5, transient=True) as screen:
            yield lambda jobs: screen.update(_picture(title, jobs))
        return
    console.print(f"stress: {title}")
    told: set[str] = set()

    def tell(jobs: Sequence[Job]) -> None:
        for job in jobs:
            if job.state == "ended" and job.name not in told:
                told.add(job.name)
                words = job.result.says if job.canary is None else job.canary.fault.about
                line = f"{job.name}: {_VERDICTS[job.verdict]} {job.result.seconds:.1f} s {words}"
                console.print(line.rstrip())

    yield tell


def _picture(title: str, jobs: Sequence[Job]) -> Table:
    table = Table(box=None, title=title, title_justify="left", pad_edge=False)
    table.add_column("scenario", no_wrap=True)
    table.add_column("", width=20)
    table.add_column("")
    ended = Counter(job.state for job in jobs if job.canary is not None)
    for job in jobs:
        if job.canary is not None and (job.state != "running"):
            continue
        style = "dim" if job.state == "waiting" else ""
        if job.state == "ended":
            table.add_row(job.name, _VERDICTS[job.verdict], job.words)
        else:
            bar = ProgressBar(total=1.0, completed=job.done, width=20)
            table.add_row(Text(job.name, style=style), bar, Text(job.words, style=style))
    if ended:
        table.add_row("canaries", f"{ended['ended']} of {ended.total()}", "")
    return table


def print_report(report: Report, *, kept: Path | None, file: TextIO | None = None) -> None:
    """Print the verdicts: scenarios, invariants, canaries, and what did not hold.

    To stdout, or to a file that has 120 columns.
    """
    console = Console(highlight=False, markup=False, file=file, width=None if file is None else 120)
    scenarios = Table(title=f"stress, profile {report.profile}, seed {report.seed}")
    for column in ("scenario", "verdict", "seconds", "faults", "figures"):
        scenarios.add_column(column, justify="right" if column in ("seconds", "faults") else "left")
    for result in report.results:
        scenarios.add_row(
            result.name,
            _VERDICTS[result.verdict],
            f"{result.seconds:.1f}",
            f"{sum(result.faults.values()):,}",
            result.says,
        )
    console.print(scenarios)
    invariants = Table()
    for column in ("invariant", "verdict", "checked", "says"):
        invariants.add_column(column, justify="right" if column == "checked" else "left")
    for name, facts in summary(report)["invariants"].items():
        verdict = _verdict(facts["ok"])
        invariants.add_row(name, verdict, f"{facts['checked']:,}", facts["says"])
    console.print(invariants)
    canaries = Table()
    for column in ("canary", "verdict", "caught by", "planted fault"):
        canaries.add_column(column)
    for canary in report.canaries:
        canaries.add_row(canary.name, _VERDICTS[canary.verdict], canary.invariant, canary.about)
    console.print(canaries)
    for result in report.results:
        for finding in result.findings:
            console.print(f"{result.name}: {finding.invariant}: {finding.what}")
        if not result.ok:
            console.print(f"  again: {result.replay}")
    for canary in report.canaries:
        if canary.ok:
            continue
        console.print(f"canary {canary.name}: {canary.invariant} missed it, seed {canary.seed}")
        for finding in canary.instead:
            console.print(f"  instead: {finding.invariant}: {finding.what}")
        console.print(f"  again: {canary.replay}")
    machine = report.machine
    console.print(
        f"{machine.cores} cores, {machine.filesystem}, fdatasync p50 {machine.fdatasync_p50_ms} ms,"
        f" Python {machine.python}, SQLite {machine.sqlite}; {report.seconds:.0f} s"
    )
    if kept is not None:
        console.print(f"what the failed ones made is in {kept}")
    if report.not_run:
        console.print(f"not run here: {report.not_run}")
    console.print(_verdict(report.ok), _whole(report))


def _whole(report: Report) -> str:
    if not report.ok:
        return ""
    ran = ", of what ran" if report.not_run else ""
    return f"every invariant held, every canary was caught{ran}"


def _verdict(ok: bool) -> Text:
    return _VERDICTS["ok" if ok else "failed"]


def summary(report: Report) -> dict[str, Any]:
    """Return the report for machines: by name, without charts."""
    checked: Counter[str] = Counter()
    broken = Counter(found.invariant for result in report.results for found in result.findings)
    for result in report.results:
        checked.update(result.checked)
    return {
        "seed": report.seed,
        "ok": report.ok,
        "profile": report.profile,
        "started_at": report.started_at,
        "seconds": report.seconds,
        "machine": {
            name: getattr(report.machine, name) for name in report.machine.__struct_fields__
        },
        "scenarios": {
            result.name: {
                "ok": result.ok,
                "skipped": result.skipped,
                "seconds": round(result.seconds, 1),
                "says": result.says,
                "figures": result.figures,
                "faults": result.faults,
                "findings": _findings(result.findings),
                "replay": result.replay,
            }
            for result in report.results
        },
        "invariants": {
            name: {"ok": not broken[name], "checked": checked[name], "says": says}
            for name, says in report.invariants.items()
            if checked[name] or broken[name]
        },
        "canaries": {
            canary.name: {
                "caught": canary.caught,
                "skipped": canary.skipped,
                "scenario": canary.scenario,
                "invariant": canary.invariant,
                "about": canary.about,
                "seconds": canary.seconds,
                "seed": canary.seed,
                "instead": _findings(canary.instead),
                "replay": canary.replay,
            }
            for canary in report.canaries
        },
    }


def _findings(findings: Iterable[Finding]) -> list[dict[str, str]]:
    return [{"invariant": found.invariant, "what": found.what} for found in findings]
