"""fencepost check: what an app is declared to do, and what is wrong with it."""

from .command import check

__all__ = ["check"]
