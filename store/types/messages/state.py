"""The states of a delivery."""

from __future__ import annotations

from typing import Literal

State = Literal["ready", "leased", "sleeping", "done", "dead", "cancelled"]
STATES: tuple[State, ...] = ("ready", "leased", "sleeping", "done", "dead", "cancelled")
