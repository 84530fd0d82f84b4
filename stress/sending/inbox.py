"""The app of the pool that handles what a receiver has stored."""

from __future__ import annotations

from ..pools.environment import plant_canary
from .front import make_app

app = make_app()
plant_canary()
