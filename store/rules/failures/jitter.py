"""Random jitter, independent of the `random` module's state."""

from __future__ import annotations

from random import SystemRandom

# A seed that a handler sets would have all its workers wait in step, and each draw from the
# module's own generator would change what the handler gets.
jitter = SystemRandom()
