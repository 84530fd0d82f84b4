"""fencepost status: the queues, the pools, and what needs an operator's attention."""

from .command import status

__all__ = ["status"]
