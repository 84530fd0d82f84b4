"""fencepost bench: measure on this machine and disk."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import click
import msgspec

from ...speed.measurement import Figure, MeasurementFailed, Report, Spread, Waits
from ...speed.raw import RawError
from ...speed.run import MEASUREMENTS, run
from ..options import as_json
from ..output import print_json
from ..table import print_table
from .termination import ends_at_sigterm


@click.command(
    epilog="Measurements: "
    + "; ".join(f"{name} ({says})" for name, (says, _) in MEASUREMENTS.items())
)
@click.option(
    "--only",
    "names",
    multiple=True,
    type=click.Choice(list(MEASUREMENTS)),
    help="Measure only this; repeatable.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(0, 3600, min_open=True),
    default=1.0,
    show_default=True,
    help="How long each thing is measured in each round.",
)
@click.option(
    "--rounds",
    type=click.IntRange(1, 1000),
    default=5,
    show_default=True,
    help="How often each thing is measured.",
)
@click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False, writable=True, path_type=Path),
    help="Create the stores here: this disk is measured.  [default: the temporary folder]",
)
@as_json
def bench(
    names: tuple[str, ...], seconds: float, rounds: int, folder: Path | None, as_json: bool
) -> None:
    """Measure how fast Fencepost is on this machine and disk, beside raw SQLite.

    Raw is SQLite through APSW with the fewest statements that give the same rows: a key that is
    kept, a fence, a token, a guarded ack, a sync for each commit. Both take turns within one run,
    so trust the ratios rather than the rates. It takes about a minute.

    The columns: "of raw" is the median ratio of all rounds, "rounds" the least and the greatest;
    "of QPSG" is the ratio to raw SQLite with its stable query plans turned on, as Fencepost has
    them; "share" is the least number of messages that a worker handled over the greatest.

    Example: fencepost bench --folder /var/lib/hooks --only store
    """
    work = Path(tempfile.mkdtemp(prefix="fencepost-bench-", dir=folder))
    try:
        with ends_at_sigterm():
            report = run(
                work,
                names=names or MEASUREMENTS.keys(),
                rounds=rounds,
                seconds=seconds,
                on_round=_tell,
            )
    except MeasurementFailed as error:
        raise click.ClickException(str(error)) from error
    except RawError as error:
        raise click.ClickException(f"raw SQLite in {work}: {error}") from error
    finally:
        _tell("")
        shutil.rmtree(work, ignore_errors=True)
    if as_json:
        print_json(msgspec.to_builtins(report))
    else:
        _print(report)


def _tell(words: str) -> None:
    """Show on stderr what is measured: in one line of a terminal, or a line each."""
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{words}", err=True, nl=False)
    elif words:
        click.echo(words, err=True)


def _print(report: Report) -> None:
    rates = [figure for figure in report.figures if isinstance(figure, Figure)]
    if rates:
        columns = (
            "measured",
            "batch",
            "messages/s",
            "raw/s",
            "of raw",
            "rounds",
            "of QPSG",
            "share",
        )
        print_table(columns, [_row(figure) for figure in rates], whole=columns)
    for figure in report.figures:
        if isinstance(figure, Waits):
            click.echo(
                f"idle pool, enqueue to handler: p50 {figure.p50_ms:.2f} ms,"
                f" p99 {figure.p99_ms:.2f} ms, max {figure.max_ms:.2f} ms;"
                f" raw enqueue and claim {figure.raw_p50_ms:.2f} ms"
            )
    where = report.machine
    click.echo(
        f"{where.cores} cores, {where.filesystem}, fdatasync p50 {where.fdatasync_p50_ms:.3f} ms"
        f" p99 {where.fdatasync_p99_ms:.3f} ms, Python {where.python}, SQLite {where.sqlite},"
        f" bodies of {report.body_bytes} bytes, {report.workers} workers; {report.took_seconds:.0f} s"
    )


def _row(figure: Figure) -> tuple[object, ...]:
    return (
        figure.name,
        figure.batch,
        f"{figure.per_second.median:,.0f}",
        f"{figure.raw_per_second.median:,.0f}",
        f"{figure.of_raw.median:.2f}",
        f"{figure.of_raw.least:.2f} to {figure.of_raw.greatest:.2f}",
        _median(figure.of_raw_qpsg),
        _median(figure.share),
    )


def _median(spread: Spread | None) -> str | None:
    return None if spread is None else f"{spread.median:.2f}"
