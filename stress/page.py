"""A report as one HTML page that needs nothing else."""

from __future__ import annotations

from .report import Report


def render(report: Report) -> str:
    """Return the page."""
    return f"<!doctype html><title>stress {report.seed}</title>"
