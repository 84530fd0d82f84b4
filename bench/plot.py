"""Draw the figures of docs/performance.md from what was measured.

    make plots

Reads bench/results/*.json, which `fencepost bench --json` and the scripts beside this one have
printed, and writes docs/performance/*.svg. The colours are readable on light and on dark pages.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "bench/results"
DRAWN = ROOT / "docs/performance"

_GREY = "#808080"
_COLOURS = {"enqueue": "#2f81d6", "claim, ack": "#d97a00", "claim with acks": "#3a9d5d"}
_OF_THE_STEP = {"enqueue": "enqueue", "work": "claim, ack"}


def main() -> None:
    """Draw each figure whose results are there."""
    mpl.rcParams.update(
        {
            "axes.edgecolor": _GREY,
            "axes.labelcolor": _GREY,
            "axes.titlecolor": _GREY,
            "axes.grid": True,
            "axes.spines.right": False,
            "axes.spines.top": False,
            "grid.alpha": 0.3,
            "legend.frameon": False,
            "legend.labelcolor": _GREY,
            "svg.fonttype": "none",
            "svg.hashsalt": "fencepost",
            "text.color": _GREY,
            "xtick.color": _GREY,
            "ytick.color": _GREY,
        }
    )
    DRAWN.mkdir(exist_ok=True)
    for source, name, draw in (
        ("bench", "store", store),
        ("flat", "flat", flat),
        ("processes", "processes", processes),
    ):
        if (results := RESULTS / f"{source}.json").exists():
            figure = draw(json.loads(results.read_text()))
            figure.savefig(
                DRAWN / f"{name}.svg",
                transparent=True,
                bbox_inches="tight",
                metadata={"Date": None},
            )
            plt.close(figure)
            print(f"docs/performance/{name}.svg")


def store(found: dict[str, Any]) -> Figure:
    """Draw the rates of the store in parts of raw SQLite's, by batch."""
    figure, axes = plt.subplots(figsize=(6.4, 3.6))
    for name, colour in _COLOURS.items():
        rows = [row for row in found["figures"] if row["name"] == name]
        _line(axes, [row["batch"] for row in rows], [row["of_raw"] for row in rows], name, colour)
    axes.axhline(1, color=_GREY, linewidth=1)
    axes.set(xlabel="messages in a batch", ylabel="rate ÷ raw SQLite's", ylim=(0, None))
    _counts(axes)
    axes.legend()
    return figure


def flat(found: dict[str, Any]) -> Figure:
    """Draw what a message costs with many rows stored, in parts of that with few."""
    figure, panels = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True)
    titles = {"done": "finished messages whose keys are kept", "waiting": "messages waiting"}
    for axes, (kind, title) in zip(panels, titles.items(), strict=True):
        for step, name in _OF_THE_STEP.items():
            for batch, style in ((1, "-"), (100, ":")):
                rows = [
                    row
                    for row in found["rows"]
                    if (row["kind"], row["step"], row["batch"]) == (kind, step, batch)
                ]
                stored = [row["stored"] for row in rows]
                costs = [row["cost"] for row in rows]
                label = f"{name}, batch {batch}"
                _line(axes, stored, costs, label, _COLOURS[name], style=style)
        axes.set(xlabel=title, ylim=(0, None))
        _counts(axes)
    panels[0].set_ylabel("time of a message ÷ with the fewest")
    panels[0].legend()
    return figure


def processes(found: dict[str, Any]) -> Figure:
    """Draw the rate of many processes, in parts of one's."""
    figure, axes = plt.subplots(figsize=(6.4, 3.6))
    for (kind, label), colour in zip(
        (("enqueue", "enqueuers, one message a transaction"), ("end to end", "workers")),
        _COLOURS.values(),
        strict=False,
    ):
        rows = [row for row in found["rows"] if row["kind"] == kind]
        counts = [row["processes"] for row in rows]
        _line(axes, counts, [row["of_one"] for row in rows], label, colour)
    axes.axhline(1, color=_GREY, linewidth=1)
    axes.set(xlabel="processes", ylabel="rate of all ÷ rate of one", ylim=(0, None))
    axes.set_xscale("log", base=2)
    _counts(axes, log=False)
    axes.legend()
    return figure


def _line(
    axes: Axes,
    at: list[int],
    spreads: list[dict[str, Any]],
    label: str,
    colour: str,
    *,
    style: str = "-",
) -> None:
    """Draw medians, with a bar from the least to the greatest of the rounds."""
    medians = [spread["median"] for spread in spreads]
    bars = [
        [spread["median"] - spread["least"] for spread in spreads],
        [spread["greatest"] - spread["median"] for spread in spreads],
    ]
    axes.errorbar(
        at, medians, bars, label=label, color=colour, linestyle=style, marker="o", capsize=3
    )


def _counts(axes: Axes, *, log: bool = True) -> None:
    if log:
        axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda count, _: f"{count:,.0f}"))


if __name__ == "__main__":
    main()
