"""A report as one HTML page that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

from ..records.report import CanaryResult, Chart, Finding, Report, Result
from .picture import legend, svg
from .terminal import summary

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2024; --dim: #5f6b76; --paper: #fbfbfa; --card: #fff;
  --line: #e3e5e8; --good: #17803d; --bad: #c0262d; --bound: #c0262d;
  --c0: #2f6fdb; --c1: #0f9d8a; --c2: #d98613; --c3: #b5378f; --c4: #6b7280; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --dim: #9aa4ae; --paper: #14171a;
  --card: #1c2024; --line: #30363c; --good: #4cc479; --bad: #ff6b70; --bound: #ff6b70;
  --c0: #6ea3ff; --c1: #3fd0bb; --c2: #f0ad4e; --c3: #e57cc6; --c4: #9aa4ae; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1360px; padding: 32px 24px 64px; background: var(--paper);
  color: var(--ink); font: 15px/1.45 system-ui, sans-serif; font-variant-numeric: tabular-nums; }
h1 { font-size: 26px; margin: 0 0 4px; } h2 { font-size: 18px; margin: 40px 0 12px; }
h3 { font-size: 14px; margin: 0 0 6px; font-weight: 600; }
p { margin: 4px 0; } .dim { color: var(--dim); } .good { color: var(--good); }
.bad { color: var(--bad); font-weight: 600; }
code { font: 12.5px ui-monospace, monospace; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; background: var(--card); border: 1px solid var(--line);
  border-radius: 8px; }
th, td { text-align: left; vertical-align: top; padding: 7px 12px; border-top: 1px solid var(--line); }
thead th { border-top: 0; color: var(--dim); font-weight: 500; font-size: 13px; }
td.n, th.n { text-align: right; white-space: nowrap; } td.w { white-space: nowrap; }
summary { cursor: pointer; color: var(--dim); font-size: 13px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 1px 14px; margin: 6px 0;
  font-size: 13px; } dt { color: var(--dim); } dd { margin: 0; }
.charts { display: grid; gap: 16px; grid-template-columns: repeat(auto-fill, minmax(min(100%, 520px), 1fr)); }
figure { margin: 0; padding: 14px 14px 6px; background: var(--card); border: 1px solid var(--line);
  border-radius: 8px; } svg { width: 100%; height: auto; display: block; }
svg polyline { stroke-width: 1.8; stroke-linejoin: round; } svg .grid { stroke: var(--line); }
svg .bound { stroke: var(--bound); stroke-dasharray: 5 4; }
svg text { font-size: 11px; fill: var(--dim); }
.key { font-weight: 400; font-size: 12.5px; color: var(--dim); margin-left: 10px; white-space: nowrap; }
.key i { display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin-right: 5px; }
"""


_NUMBERS = ("seconds", "checked")


def render(report: Report) -> str:
    """Return the page."""
    found = summary(report)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>fencepost stress: {"ok" if report.ok else "failed"}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>fencepost stress</h1>
<p>{_whole(report)}</p>
<p class="dim">{escape(_where(report))}</p>
<h2>Scenarios</h2>
{_table(("scenario", "verdict", "figures", "faults", "seconds"), map(_scenario, report.results))}
{_charts(report.results)}
<h2>Faults injected</h2>
{_faults(report)}
<h2>Invariants</h2>
{
        _table(
            ("invariant", "verdict", "what must hold", "checked"),
            (
                (
                    _word(name),
                    _verdict("ok" if facts["ok"] else "failed"),
                    escape(facts["says"]),
                    _number(facts["checked"]),
                )
                for name, facts in found["invariants"].items()
            ),
        )
    }
<h2>Canaries</h2>
<p class="dim">Faults planted in the product, in processes of the run only. One that is not caught
fails the run.</p>
{
        _table(
            ("canary", "verdict", "planted fault", "scenario", "caught by"),
            map(_canary, report.canaries),
        )
    }
</body>
</html>
"""


def _whole(report: Report) -> str:
    ran = " of what ran" if report.not_run else ""
    words = f"every invariant held, every canary was caught{ran}" if report.ok else "failed"
    rest = f'; <span class="dim">not run here: {report.not_run}</span>' if ran else ""
    return f"{_verdict(words)}{rest}"


def _faults(report: Report) -> str:
    bars: list[tuple[float | str, float]] = [
        (result.name, sum(result.faults.values())) for result in report.results if result.faults
    ]
    if not bars:
        return '<p class="dim">none</p>'
    return f'<div class="charts">{_figure(Chart("By scenario", "bars", "scenario", "faults", {"faults": bars}))}</div>'


def _where(report: Report) -> str:
    machine = report.machine
    return (
        f"profile {report.profile}, seed {report.seed}, {report.started_at}, {report.seconds:.0f} s;"
        f" {machine.cores} cores, {machine.system}, {machine.filesystem}, fdatasync p50"
        f" {machine.fdatasync_p50_ms} ms and p99 {machine.fdatasync_p99_ms} ms,"
        f" Python {machine.python}, SQLite {machine.sqlite}"
    )


def _scenario(result: Result) -> tuple[str, ...]:
    details = (
        f"<details><summary>all figures, seed and how to run it again</summary>"
        f"{_list(result.figures)}{_again(result)}</details>"
    )
    faults = ", ".join(f"{count:,} {kind}" for kind, count in result.faults.items()) or "none"
    return (
        _word(result.name),
        _verdict(result.verdict),
        f"{escape(result.says)}{_findings(result.findings)}{details}",
        escape(faults),
        _number(round(result.seconds, 1)),
    )


def _canary(each: CanaryResult) -> tuple[str, ...]:
    missed = "" if each.ok else f"{_findings(each.instead)}{_again(each)}"
    return (
        _word(each.name),
        _verdict(each.verdict),
        f"{escape(each.about)}{missed}",
        escape(each.scenario),
        _word(each.invariant),
    )


def _findings(findings: Iterable[Finding]) -> str:
    return "".join(
        f'<p class="bad">{escape(found.invariant)}: {escape(found.what)}</p>' for found in findings
    )


def _again(result: Result | CanaryResult) -> str:
    return f"<p>seed {result.seed}</p><p><code>{escape(result.replay)}</code></p>"


def _charts(results: Iterable[Result]) -> str:
    return "".join(
        f'<h2>{escape(result.name)}</h2><div class="charts">'
        f"{''.join(_figure(chart) for chart in result.charts)}</div>"
        for result in results
        if result.charts
    )


def _figure(chart: Chart) -> str:
    return f"<figure><h3>{escape(chart.title)} {legend(chart)}</h3>{svg(chart)}</figure>"


def _list(figures: dict[str, Any]) -> str:
    rows = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(str(value))}</dd>" for name, value in figures.items()
    )
    return f"<dl>{rows}</dl>"


def _table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = "".join(
        f'<th class="n">{column}</th>' if column in _NUMBERS else f"<th>{column}</th>"
        for column in columns
    )
    body = "".join(
        f"<tr>{''.join(cell if cell.startswith('<td') else f'<td>{cell}</td>' for cell in row)}</tr>\n"
        for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _word(text: str) -> str:
    return f'<td class="w">{escape(text)}</td>'


def _number(value: float) -> str:
    return f'<td class="n">{value:,}</td>'


def _verdict(words: str) -> str:
    kind = {"failed": "bad", "missed": "bad", "not run": "dim"}.get(words, "good")
    return f'<span class="{kind}">{words}</span>'
